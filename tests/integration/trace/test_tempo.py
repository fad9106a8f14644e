"""Tempo's API as it is known to be: there is no Tempo here, and what answers is a server with such answers."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.http_server import Handler, answering
from tests.support.shop import trace

TRACE = "00f7651916cd43dd8448eb211c80319c"


def _base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


SPAN = {
    "traceId": _base64(TRACE), "spanId": _base64("b7ad6b7169203331"), "name": "GET /inventory",
    "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": "1767225600000000000", "endTimeUnixNano": "1767225600012500000",
    "status": {},
}  # fmt: skip
FOUND = {"traces": [{"traceID": TRACE.lstrip("0"), "rootServiceName": "inventory-api"}], "metrics": {}}
WHOLE = {"trace": {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [SPAN]}]}]}}


@pytest.fixture
def tempo() -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it was asked."""
    paths: list[str] = []

    class Tempo(Handler):
        def asked(self) -> None:
            paths.append(self.path)
            answers: dict[str, Any] = {"/api/search": FOUND, f"/api/v2/traces/{TRACE}": WHOLE}
            answer = answers.get(urlsplit(self.path).path)
            self.answer(200 if answer else 404, json.dumps(answer).encode())

    with answering(Tempo) as url:
        yield url, paths


async def test_a_trace_is_found_by_the_request_and_shown(tempo: tuple[str, list[str]]) -> None:
    url, asked = tempo
    done = await trace("order-4711", "--tempo", url)
    assert done.returncode == 0, done.stdout
    assert f"trace    {TRACE}\n" in done.stdout
    assert "       0.000       12.500  GET /inventory\n" in done.stdout
    assert parse_qs(urlsplit(asked[0]).query)["q"] == ['{ span.app.request_id = "order-4711" }']


async def test_a_trace_that_is_not_there_is_said_and_is_no_failure(tempo: tuple[str, list[str]]) -> None:
    url, _ = tempo
    other = "f" * 32
    line = json.dumps({"timestamp": "2026-03-02T09:30:00.000Z", "request_id": "order-1", "trace_id": other})
    done = await trace("order-1", "--tempo", url, "--logs", "-", stdin=line)
    assert done.returncode == 0
    assert f"  - {url}: not there, so not sampled or kept no more: {other}\n" in done.stdout
