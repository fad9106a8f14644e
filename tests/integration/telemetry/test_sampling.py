"""One server span for each sampled request, nothing for those that are dropped, and one decision for both."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, TraceIdRatioBased
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.support.otlp import Collector, collecting
from tests.support.service import error_of, record_spans, running
from tests.support.waiting import eventually

from inventory_api.telemetry import sampling
from inventory_api.telemetry.logging import JsonFormatter

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-"


@pytest.fixture
def settings(database_url: str, keys_file: Path) -> dict[str, Any]:
    return {"database_url": database_url, "api_keys_file": str(keys_file)}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as started:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", started.endpoint)
        yield started


def _sample(monkeypatch: pytest.MonkeyPatch, sampler: str, argument: str = "") -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)


def _of_servers(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.kind is trace.SpanKind.SERVER]


@pytest.mark.usefixtures("collector")
async def test_a_sampled_request_has_one_server_span_and_no_noise(settings: dict[str, Any]) -> None:
    async with running(**settings) as service:
        spans = record_spans(service.app)
        assert (await service.put("A-1", {"traceparent": f"{CALLER}01"})).status_code == 201
    (server,) = _of_servers(spans)
    assert server.name == "PUT /inventory/{sku}"
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" in CALLER
    finished = spans.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in finished if span.context} == {TRACE}
    makers = [span.instrumentation_scope.name for span in finished if span.instrumentation_scope]
    assert makers.count("opentelemetry.instrumentation.fastapi") == 1
    assert set(makers) == {"opentelemetry.instrumentation.fastapi", "inventory_api.database"}


@pytest.mark.parametrize(
    ("sampler", "argument", "caller", "trace_id"),
    [
        ("parentbased_traceidratio", "1", f"{CALLER}00", TRACE),
        ("parentbased_traceidratio", "0", None, None),
        ("traceidratio", "0", f"{CALLER}01", TRACE),
        ("always_off", "", f"{CALLER}01", TRACE),
    ],
)
@pytest.mark.usefixtures("collector")
async def test_nothing_is_built_for_a_dropped_request_and_it_keeps_its_trace_id(
    settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    sampler: str,
    argument: str,
    caller: str | None,
    trace_id: str | None,
) -> None:
    _sample(monkeypatch, sampler, argument)
    await _check_dropped(settings, monkeypatch, caplog, caller, trace_id)


@pytest.mark.parametrize(("caller", "trace_id"), [(f"{CALLER}01", TRACE), (None, None)])
async def test_without_an_endpoint_nothing_is_built_either(
    settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    caller: str | None,
    trace_id: str | None,
) -> None:
    await _check_dropped(settings, monkeypatch, caplog, caller, trace_id)


async def _check_dropped(
    settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    caller: str | None,
    trace_id: str | None,
) -> None:
    async def instrumented(*_: object) -> None:
        raise AssertionError("the instrumentation was asked")

    monkeypatch.setattr(OpenTelemetryMiddleware, "__call__", instrumented)
    async with running(**settings) as service:
        service.app.api.add_api_route("/outgoing", _outgoing)
        spans = record_spans(service.app)
        headers = {"traceparent": caller, "tracestate": "a=b"} if caller else {}
        assert (await service.put("A-1", headers)).status_code == 201
        with caplog.at_level(logging.INFO):
            caplog.handler.setFormatter(JsonFormatter())
            found = error_of(await service.api.get("/inventory/absent", headers=headers))["trace_id"]
        outgoing = (await service.api.get("/outgoing", headers=headers)).json()
        (entry,) = (await service.api.get("/inventory/A-1/audit", headers=headers)).json()["items"]
    assert spans.get_finished_spans() == ()
    assert trace_id in (None, found)
    assert len(found) == 32
    assert f'"trace_id": "{found}"' in caplog.text
    assert '"trace_flags": "00"' in caplog.text
    assert len(entry["trace_id"]) == 32
    assert outgoing["traceparent"].endswith("-00")
    if caller:
        assert entry["trace_id"] == trace_id
        assert outgoing["traceparent"].split("-")[1] == trace_id
        assert outgoing["tracestate"] == "a=b"


async def _outgoing() -> dict[str, str]:
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


@pytest.mark.usefixtures("collector")
async def test_a_request_is_traced_by_the_very_decision_that_its_trace_id_led_to(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request takes one id and no second, and a span is made for exactly those that the sampler keeps."""
    drawn = [n << 64 | n * 0x9E3779B97F4A7C15 % 2**64 for n in range(1, 101)]
    ids = iter(drawn)
    monkeypatch.setattr(RandomIdGenerator, "generate_trace_id", lambda _: next(ids))
    _sample(monkeypatch, "parentbased_traceidratio", "0.5")
    async with running(**settings) as service:
        spans = record_spans(service.app)
        answers = [int(error_of(await service.api.get("/nowhere"))["trace_id"], 16) for _ in drawn]
    assert answers == drawn
    kept = [found for found in drawn if _kept(found)]
    assert 0 < len(kept) < 100
    assert [span.context.trace_id for span in _of_servers(spans) if span.context] == kept


def _kept(trace_id: int) -> bool:
    return TraceIdRatioBased(0.5).should_sample(None, trace_id, "").decision is Decision.RECORD_AND_SAMPLE


@pytest.mark.usefixtures("collector")
async def test_probes_are_not_traced(settings: dict[str, Any]) -> None:
    async with running(**settings) as service:
        spans = record_spans(service.app)
        for path in ("/system/live", "/system/ready", "/system/startup"):
            await service.api.get(path)
    assert spans.get_finished_spans() == ()


@pytest.mark.usefixtures("collector")
async def test_the_server_span_ends_with_the_response_and_not_with_its_background_task(
    settings: dict[str, Any],
) -> None:
    """It has ended while the task still runs; the task's own span comes after."""
    done = asyncio.Event()

    async def endpoint() -> Response:
        return Response(background=BackgroundTask(done.wait))

    async with running(**settings) as service:
        service.app.api.add_api_route("/background", endpoint)
        spans = record_spans(service.app)
        request = asyncio.create_task(service.api.get("/background"))

        async def ended() -> list[ReadableSpan]:
            return _of_servers(spans)

        (server,) = await eventually(ended)
        assert not request.done()
        done.set()
        assert (await request).status_code == 200
        assert _of_servers(spans) == [server]


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
async def test_both_ways_lead_through_one_stack_of_middleware(sampler: Any) -> None:
    """Else each way would count its own requests in flight."""
    made: list[object] = []
    passed: list[str] = []

    class Counting:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app
            made.append(self)

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            passed.append(scope["type"])
            await self.app(scope, receive, send)

    app = FastAPI(middleware=[Middleware(Counting)])
    provider = TracerProvider(sampler, shutdown_on_exit=False, id_generator=sampling.TraceIds())
    sampling.instrument(app, provider, never=["/probe"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        await client.get("/probe")
        await client.get("/other")
    assert len(made) == 1
    assert passed == ["http", "http"]
