"""What the metrics and the traces tell of a storage."""

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, Histogram
from tests.support.objects import MEDIA_TYPE, Content, new_key, put, stored, taken

from inventory_api.storage.measured import MeasuredStorage
from inventory_api.storage.model import ObjectMissing, Storage, WrongChecksum
from inventory_api.telemetry.metrics import STORAGE_ERRORS, STORAGE_OPERATIONS

CONTENT = Content(1000)
NAME = "storage_operation_duration_seconds"


class Measures:
    """A storage that is measured, and what that gave."""

    def __init__(self, storage: Storage) -> None:
        self._registry = CollectorRegistry()
        histogram = Histogram(NAME, "", ("operation", "error_type"), registry=self._registry)
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("tests")
        self.storage = MeasuredStorage(storage, histogram, self.tracer)

    def value(self, operation: str, error_type: str = "", suffix: str = "count") -> float:
        labels = {"operation": operation, "error_type": error_type}
        return self._registry.get_sample_value(f"{NAME}_{suffix}", labels) or 0

    def labels(self) -> set[tuple[str, str]]:
        samples = [sample for metric in self._registry.collect() for sample in metric.samples]
        return {(sample.labels["operation"], sample.labels["error_type"]) for sample in samples}

    def spans(self) -> list[tuple[str, trace.SpanKind]]:
        return [(span.name, span.kind) for span in self._exporter.get_finished_spans() if span.parent]


@pytest.fixture
def measures(file_storage: Storage) -> Iterator[Measures]:
    made = Measures(file_storage)
    with made.tracer.start_as_current_span("request"):
        yield made


async def test_each_call_is_counted_and_is_a_span(measures: Measures) -> None:
    storage = measures.storage
    key = await stored(storage, CONTENT)
    await storage.sign_upload(new_key(), 1, MEDIA_TYPE, CONTENT.sha256, 60)
    await storage.sign_download(key, 60, MEDIA_TYPE, "attachment")
    await storage.describe(key)
    await storage.read(key, 0, 1)
    await taken(storage, key, 0, 1000)
    await storage.remove(key)
    await storage.check()
    assert {operation: measures.value(operation) for operation in STORAGE_OPERATIONS} == dict.fromkeys(
        STORAGE_OPERATIONS, 1
    )
    assert measures.spans() == [(f"storage.{operation}", trace.SpanKind.CLIENT) for operation in STORAGE_OPERATIONS]


async def test_why_they_fail(measures: Measures) -> None:
    with pytest.raises(ObjectMissing):
        await measures.storage.read(new_key(), 0, 1)
    assert measures.value("read", "missing") == 1
    with pytest.raises(WrongChecksum):
        await put(measures.storage, new_key(), CONTENT, sha256="0" * 64)
    assert measures.value("put", "refused") == 1
    assert {error for _, error in measures.labels()} <= set(STORAGE_ERRORS)


async def test_what_the_reader_takes_is_not_counted(measures: Measures) -> None:
    key = await stored(measures.storage, CONTENT)
    async with measures.storage.stream(key, 0, 1000) as chunks:
        async for _ in chunks:
            await asyncio.sleep(0.5)
    assert measures.value("stream", suffix="sum") < 0.5
    async with measures.storage.stream(key, 0, 1000) as chunks:
        await anext(chunks)
        await asyncio.sleep(0.5)
    assert measures.value("stream", suffix="sum") < 0.5
