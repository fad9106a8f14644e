"""Sends spans in batches and loses none silently: what is not sent is counted, by the reason.

Every span that ended and is sampled is in the end one of two: accepted by the collector, or in
`otel_spans_dropped_total`. The SDK's own queue throws the oldest away and tells nobody; so it is never let run full.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence

from opentelemetry.sdk.environment_variables import (
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
)
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import Counter

from inventory_api.telemetry.metrics import EXPORT_FAILED, QUEUE_FULL, SHUTDOWN

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 3.0
# The SDK's 5 s make batches that take tens of milliseconds to encode, while requests wait.
SCHEDULE_DELAY_MILLISECONDS = 1000


class CountedSpanProcessor(SpanProcessor):
    """The SDK's BatchSpanProcessor, set by the standard `OTEL_BSP_*` names, with a count of what it loses."""

    def __init__(self, exporter: SpanExporter, dropped: Counter) -> None:
        self._dropped = dropped
        self._size = _positive(OTEL_BSP_MAX_QUEUE_SIZE, 2048)
        self._lock = threading.Lock()
        self._waiting = 0  # in the queue
        self._unsettled = 0  # in the queue, or being sent
        self._ending = False
        self._batches = BatchSpanProcessor(
            _SettlingExporter(exporter, self._taken, self._settled),
            self._size,
            _positive(OTEL_BSP_SCHEDULE_DELAY, SCHEDULE_DELAY_MILLISECONDS),
            min(_positive(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, 512), self._size),
        )

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled and self._enter():
            self._batches.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._batches.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Send what is left, within `FLUSH_SECONDS`; the rest is dropped.

        The SDK waits up to 30 s for a collector that does not answer, so it does that in a daemon thread: one that the
        end of the process does not wait for.
        """
        with self._lock:
            self._ending = True
        flush = threading.Thread(target=self._batches.shutdown, name="flush-spans", daemon=True)
        flush.start()
        flush.join(FLUSH_SECONDS)
        with self._lock:
            left, self._unsettled = self._unsettled, 0
            self._dropped.labels(reason=SHUTDOWN).inc(left)
        if left:
            logger.warning(
                "spans were not all sent within %s s, %d are dropped; is the OTLP endpoint up?", FLUSH_SECONDS, left
            )

    def _enter(self) -> bool:
        """Whether there is a place for one more span; counted either way."""
        with self._lock:
            if self._ending or self._waiting >= self._size:
                self._dropped.labels(reason=SHUTDOWN if self._ending else QUEUE_FULL).inc()
                return False
            self._waiting += 1
            self._unsettled += 1
            return True

    def _taken(self, count: int) -> None:
        with self._lock:
            self._waiting -= count

    def _settled(self, count: int, accepted: bool) -> None:
        with self._lock:
            # After the end of the flush all that was left is counted already.
            count = min(count, self._unsettled)
            self._unsettled -= count
            if not accepted:
                self._dropped.labels(reason=EXPORT_FAILED).inc(count)


class _SettlingExporter(SpanExporter):
    """Tells when a batch leaves the queue, and what became of it."""

    def __init__(
        self, exporter: SpanExporter, taken: Callable[[int], None], settled: Callable[[int, bool], None]
    ) -> None:
        self._exporter = exporter
        self._taken = taken
        self._settled = settled

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._taken(len(spans))
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._settled(len(spans), result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _positive(name: str, default: int) -> int:
    """A wrong one is told and not followed, as the specification of the SDK's variables says; nothing fails for it."""
    given = os.environ.get(name, "")
    if given.strip().isascii() and given.strip().isdigit() and int(given) > 0:
        return int(given)
    if given:
        logger.warning("%s is not a number above 0; %d is used", name, default)
    return default
