"""Spans that ended are accepted by the collector or counted as dropped: none is neither, and none is both."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, TraceIdRatioBased
from tests.support.otlp import collecting
from tests.support.process import free_ports
from tests.support.waiting import wait_until

from inventory_api.telemetry import export
from inventory_api.telemetry.export import CountedSpanProcessor
from inventory_api.telemetry.metrics import EXPORT_FAILED, QUEUE_FULL, SHUTDOWN, Metrics


class Sending:
    """A provider that sends to an endpoint, and what it counts."""

    def __init__(self, endpoint: str, sampler: Sampler) -> None:
        self.metrics = Metrics()
        exporter = OTLPSpanExporter(endpoint, timeout=0.5)
        self.provider = TracerProvider(sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(CountedSpanProcessor(exporter, self.metrics.spans_dropped))

    def end_spans(self, count: int) -> None:
        tracer = self.provider.get_tracer("test")
        for _ in range(count):
            tracer.start_span("x").end()

    def dropped(self) -> dict[str, float]:
        """By the reasons that there are any of."""
        samples = [sample for family in self.metrics.spans_dropped.collect() for sample in family.samples]
        totals = {sample.labels["reason"]: sample.value for sample in samples if sample.name.endswith("_total")}
        assert set(totals) == {QUEUE_FULL, EXPORT_FAILED, SHUTDOWN}
        return {reason: value for reason, value in totals.items() if value}


@contextmanager
def _sending(endpoint: str, sampler: Sampler = ALWAYS_ON) -> Iterator[Sending]:
    sending = Sending(endpoint, sampler)
    try:
        yield sending
    finally:
        sending.provider.shutdown()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "FLUSH_SECONDS", 1.0)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")


def test_spans_that_are_accepted_are_not_counted() -> None:
    with collecting() as collector, _sending(collector.endpoint) as sending:
        sending.end_spans(1_000)
        sending.provider.shutdown()
        assert len(collector.spans()) == 1_000
        assert sending.dropped() == {}


@pytest.mark.parametrize("name", ["MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY"])
@pytest.mark.parametrize("value", ["tea", "0", "-1", "1.5"])
def test_a_wrong_size_is_told_and_not_followed(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(f"OTEL_BSP_{name}", value)
    with collecting() as collector, _sending(collector.endpoint) as sending:
        sending.end_spans(10)
        sending.provider.shutdown()
        assert len(collector.spans()) == 10
    assert f"OTEL_BSP_{name} is not a number above 0" in caplog.text


def test_a_queue_that_is_smaller_than_a_batch_is_sent_in_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    with collecting() as collector, _sending(collector.endpoint) as sending:
        sending.end_spans(10)
        sending.provider.shutdown()
        assert len(collector.spans()) == 10


def test_a_full_queue_drops_what_it_has_no_place_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    with _held_up() as (asked, answered, answer):
        with collecting(answer) as collector, _sending(collector.endpoint) as sending:
            sending.end_spans(4)
            wait_until(asked.is_set)
            sending.end_spans(96)
            assert sending.dropped() == {QUEUE_FULL: 88}
            answered.set()
            sending.provider.shutdown()
            assert len(collector.spans()) == 12
            assert sending.dropped() == {QUEUE_FULL: 88}


@pytest.mark.parametrize("status", [400, 404, 413, 429, 500, 503])
def test_what_the_collector_refuses_is_an_export_that_failed(status: int) -> None:
    with collecting(lambda: status) as collector, _sending(collector.endpoint) as sending:
        sending.end_spans(10)
        wait_until(lambda: sending.dropped() == {EXPORT_FAILED: 10})


def test_a_collector_that_is_not_there_is_an_export_that_failed() -> None:
    (port,) = free_ports(1)
    with _sending(f"http://127.0.0.1:{port}") as sending:
        sending.end_spans(10)
        wait_until(lambda: sending.dropped() == {EXPORT_FAILED: 10})


def test_a_collector_that_never_answers_is_an_export_that_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, _sending(_address(silent)) as sending:
        sending.end_spans(10)
        wait_until(lambda: sending.dropped() == {EXPORT_FAILED: 10})


def test_what_is_left_when_the_flush_is_over_is_dropped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector does not answer meanwhile, and is too late afterwards."""
    monkeypatch.setattr(export, "FLUSH_SECONDS", 0.1)
    with _held_up() as (asked, answered, answer):
        with collecting(answer) as collector, _sending(collector.endpoint) as sending:
            sending.end_spans(10)
            wait_until(asked.is_set)
            began = time.monotonic()
            sending.provider.shutdown()
            assert time.monotonic() - began < 0.4
            assert sending.dropped() == {SHUTDOWN: 10}
            sending.end_spans(5)
            assert sending.dropped() == {SHUTDOWN: 15}
            answered.set()
            wait_until(lambda: not [found for found in threading.enumerate() if found.name == "flush-spans"])
            assert sending.dropped() == {SHUTDOWN: 15}


def test_none_is_lost_between_threads_that_end_spans_and_the_end_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
    with collecting() as collector, _sending(collector.endpoint) as sending:
        threads = [threading.Thread(target=sending.end_spans, args=(2_000,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(collector.spans)
        sending.provider.shutdown()
        for thread in threads:
            thread.join()
        assert len(collector.spans()) + sum(sending.dropped().values()) == 8_000


def test_spans_that_are_not_sampled_are_not_counted() -> None:
    with collecting() as collector, _sending(collector.endpoint, TraceIdRatioBased(0)) as sending:
        sending.end_spans(10)
        sending.provider.shutdown()
        sending.end_spans(10)
        assert (collector.spans(), sending.dropped()) == ([], {})


@contextmanager
def _held_up() -> Iterator[tuple[threading.Event, threading.Event, Callable[[], int]]]:
    """A collector's answer that waits: it was asked, it may answer, the answer."""
    asked, answered = threading.Event(), threading.Event()

    def answer() -> int:
        asked.set()
        answered.wait(30)
        return 200

    try:
        yield asked, answered, answer
    finally:
        answered.set()


def _address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"
