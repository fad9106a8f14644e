"""OTLP traces, set by the standard `OTEL_*` names; without an endpoint nothing is recorded and nothing is sent."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Mapping

from fastapi.telemetry import TelemetryConfig
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 3.0
# FastAPI's own spans would stand beside those of the instrumentation.
NO_NATIVE_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


def exports(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether spans have somewhere to go."""
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not disabled and any(environ.get(name) for name in endpoints)


def create_provider(version: str) -> TracerProvider:
    """A provider of this process alone; its export thread starts here, so call it after the fork.

    The sampler is that of `OTEL_TRACES_SAMPLER` (default: parent-based, all). The semantic conventions are the stable
    ones, which the instrumentation takes from the environment alone.
    """
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    given = OTELResourceDetector().detect().attributes
    resource = Resource.create({"service.name": "inventory-api", "service.version": version, **given})
    if not exports():
        return TracerProvider(resource=resource, sampler=ALWAYS_OFF, shutdown_on_exit=False)
    # 30 MB of memory and a requests session, only where they are used.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


async def shut_down(provider: TracerProvider) -> None:
    """Send what is left, within `FLUSH_SECONDS`.

    `TracerProvider.shutdown()` takes no time-out and blocks while the collector is dead, so it runs in a daemon
    thread: one that the end of the process does not wait for, as it would for a thread of an executor.
    """
    loop = asyncio.get_running_loop()
    flushed = asyncio.Event()

    def flush() -> None:
        provider.shutdown()
        with contextlib.suppress(RuntimeError):  # the loop has ended before the flush did
            loop.call_soon_threadsafe(flushed.set)

    threading.Thread(target=flush, name="flush-spans", daemon=True).start()
    try:
        await asyncio.wait_for(flushed.wait(), FLUSH_SECONDS)
    except TimeoutError:
        logger.warning("spans were not all sent within %s s; is the OTLP endpoint up?", FLUSH_SECONDS)
