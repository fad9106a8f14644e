"""A store that answers nonsense has failed, and is not one that has nothing; a line of nonsense is passed over."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from inventory_api import cli
from inventory_api.trace import logs, loki, otlp, stores
from inventory_api.trace.model import SourceFailed
from inventory_api.trace.window import window

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DEEP = "[" * 200_000
WELL = '{"request_id": "abc", "message": "well"}'


class Answering:
    """Whatever is asked."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def get(self, *_: object) -> Any:
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [
        5,
        [],
        {},
        {"data": 5},
        {"data": {"result": [{"values": [["1", 5]]}]}},
        {"data": {"result": [{"values": [["1"]]}]}},
    ],
)
async def test_loki(answer: Any) -> None:
    with pytest.raises(SourceFailed):
        await loki.read(Answering(answer), "", "{}", "abc", window("abc", 1, NOW))  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [5, [], {}, {"data": 5, "traces": 5}, {"data": {"a": 1}, "traces": "x"}])
@pytest.mark.parametrize("kind", [stores.Jaeger, stores.Tempo])
async def test_a_store_of_traces_that_is_searched(kind: type[stores.Jaeger | stores.Tempo], answer: Any) -> None:
    with pytest.raises(SourceFailed):
        await kind("", Answering(answer)).find("abc", window("abc", 1, NOW))  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [5, [1], {"status": "error"}])
@pytest.mark.parametrize("kind", [stores.Jaeger, stores.Tempo])
async def test_a_store_of_traces_that_is_asked_for_one(kind: type[stores.Jaeger | stores.Tempo], answer: Any) -> None:
    with pytest.raises(SourceFailed):
        await kind("", Answering(answer)).spans(["ab"])  # type: ignore[arg-type]


def test_lines() -> None:
    (line,) = logs.of_request([f"abc {{{DEEP}", "abc {", WELL], "abc")
    assert line.message == "well"
    assert [*otlp.spans_of_lines([f"abc{DEEP}", 'abc{"resourceSpans": 5}'], ["abc"])] == []


def test_a_span_whose_status_is_none() -> None:
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "startTimeUnixNano": "1", "endTimeUnixNano": "2", "status": 5}
    assert [*otlp.spans({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})] == []


@pytest.mark.parametrize("options", [("--hours", "1e9"), ("--timeout", "1e12"), ("--loki", "http://exämple.invalid")])
def test_options(options: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.parser().parse_args(["trace", "abc", *options])
    assert ended.value.code == cli.USAGE_ERROR
    assert options[0] in capsys.readouterr().err


@pytest.mark.parametrize("trace_id", ["../../admin?x=", "0" * 31, "4BF92F3577B34DA6A3CE929D0E0E4736", "0" * 33, 7])
def test_what_is_no_id_of_a_trace_is_asked_of_no_store(trace_id: object) -> None:
    (line,) = logs.of_request([json.dumps({"request_id": "abc", "trace_id": trace_id})], "abc")
    assert line.trace_id is None
