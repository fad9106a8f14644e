"""OTLP as JSON, as those that write it differ."""

import base64
import json
from typing import Any

import pytest

from inventory_api.trace import otlp

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"


def in_base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


def document(*spans: dict[str, Any], resources: str = "resourceSpans") -> dict[str, Any]:
    name = {"key": "service.name", "value": {"stringValue": "inventory-api"}}
    return {resources: [{"resource": {"attributes": [name]}, "scopeSpans": [{"spans": [*spans]}]}]}


def span(**more: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE, "spanId": SPAN, "parentSpanId": PARENT, "name": "GET", "kind": 2,
        "startTimeUnixNano": "1000", "endTimeUnixNano": "3000", "status": {"code": 2}, **more,
    }  # fmt: skip


BY_PROTOBUF = span(
    traceId=in_base64(TRACE),
    spanId=in_base64(SPAN),
    parentSpanId=in_base64(PARENT),
    kind="SPAN_KIND_SERVER",
    status={"code": "STATUS_CODE_ERROR"},
)


@pytest.mark.parametrize("given", [document(span()), document(BY_PROTOBUF), document(BY_PROTOBUF, resources="batches")])
def test_ids_are_hexadecimal_and_enumerations_are_words_however_they_are_written(given: dict[str, Any]) -> None:
    (found,) = otlp.spans(given)
    assert (found.trace_id, found.span_id, found.parent_id) == (TRACE, SPAN, PARENT)
    assert (found.kind, found.status, found.service) == ("server", "error", "inventory-api")
    assert (found.start_ns, found.end_ns) == (1000, 3000)


def test_only_attributes_that_can_hold_no_secret_are_taken() -> None:
    attributes = [
        {"key": "http.response.status_code", "value": {"intValue": "201"}},
        {"key": "http.request.header.authorization", "value": {"stringValue": "Bearer hidden"}},
        {"key": "db.query.text", "value": {"stringValue": "SELECT"}},
    ]
    (found,) = otlp.spans(document(span(attributes=attributes)))
    assert found.attributes == {"http.response.status_code": "201"}


@pytest.mark.parametrize(
    "given", [None, [], {"resourceSpans": 1}, document(span(traceId="?")), document({"name": "without ids"})]
)
def test_what_is_not_as_otlp_has_it_is_passed_over(given: Any) -> None:
    assert list(otlp.spans(given)) == []


def test_lines_that_have_none_of_the_ids_or_are_cut_are_passed_over() -> None:
    line = json.dumps(document(span()))
    other = json.dumps(document(span(traceId="f" * 32)))
    found = otlp.spans_of_lines([line, other, line[:-5], "\n"], [TRACE])
    assert [one.trace_id for one in found] == [TRACE]
