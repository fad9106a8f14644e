"""Spans as OTLP has them in JSON: of the collector's files, of Jaeger and of Tempo."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from inventory_api.trace.model import Span

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
# What a span may show: never the text of a statement, an address or a header.
SHOWN = (
    "app.request_id", "http.request.method", "http.route", "http.response.status_code", "http.request.resend_count",
    "error.type", "messaging.message.id", "webhook.endpoint", "webhook.delivery",
)  # fmt: skip
REQUEST_ID = "app.request_id"


def spans(document: Any) -> Iterator[Span]:
    """Of a `TracesData`; Tempo calls its resources `batches`. What is not as OTLP has it is passed over."""
    for resource in _list(document, "resourceSpans") or _list(document, "batches"):
        service = _attributes(resource.get("resource")).get("service.name", "")
        for scope in _list(resource, "scopeSpans"):
            for span in _list(scope, "spans"):
                try:
                    yield _span(span, service)
                except (KeyError, ValueError, TypeError, AttributeError):
                    continue


def spans_of_lines(texts: Iterable[str], ids: Iterable[str]) -> Iterator[Span]:
    """Of lines as the collector's file exporter writes them; only those that have one of the ids are read at all."""
    wanted = tuple(ids)
    for text in texts:
        if any(one in text for one in wanted):
            try:
                document = json.loads(text)
            except (ValueError, RecursionError):
                continue
            yield from spans(document)


def _span(span: Mapping[str, Any], service: str) -> Span:
    status = span.get("status") or {}
    attributes = _attributes(span)
    return Span(
        trace_id=_hex(span["traceId"], 16),
        span_id=_hex(span["spanId"], 8),
        parent_id=_hex(span["parentSpanId"], 8) if span.get("parentSpanId") else None,
        name=str(span.get("name", "")),
        kind=_named(span.get("kind", 0), KINDS),
        service=service,
        start_ns=int(span["startTimeUnixNano"]),
        end_ns=int(span["endTimeUnixNano"]),
        status=_named(status.get("code", 0), STATUSES),
        attributes={name: attributes[name] for name in SHOWN if name in attributes},
    )


def _attributes(holder: Any) -> dict[str, str]:
    return {
        str(item.get("key")): str(next(iter(value.values())))
        for item in _list(holder, "attributes")
        if isinstance(value := item.get("value"), dict) and value
    }


def _list(holder: Any, name: str) -> list[dict[str, Any]]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _hex(text: str, size: int) -> str:
    """Ids are hexadecimal in OTLP; what is made of it by protobuf's own rules has them as base64."""
    if len(text) == size * 2:
        return bytes.fromhex(text).hex()
    return base64.b64decode(text, validate=True).hex()


def _named(value: Any, names: tuple[str, ...]) -> str:
    """An enumeration is a number, or its name with a prefix."""
    if isinstance(value, int):
        return names[value] if 0 <= value < len(names) else str(value)
    return str(value).rpartition("_")[2].lower()
