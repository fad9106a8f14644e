"""An OTLP endpoint that keeps what it accepts."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.http_server import Handler, answering


class Collector:
    """`endpoint` for OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.requests: list[ExportTraceServiceRequest] = []

    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def trace(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans() if span.trace_id.hex() == trace_id]


def write_lines(requests: list[ExportTraceServiceRequest], path: Path) -> Path:
    """As OTLP JSON, a request a line; its ids are hexadecimal, unlike protobuf's own JSON."""
    path.write_text("".join(json.dumps(_hexadecimal(MessageToDict(request))) + "\n" for request in requests))
    return path


def _hexadecimal(value: Any) -> Any:
    if isinstance(value, list):
        return [_hexadecimal(one) for one in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {name: base64.b64decode(one).hex() if name in ids else _hexadecimal(one) for name, one in value.items()}


def attributes(span: Span) -> dict[str, str]:
    return {item.key: item.value.string_value or str(item.value.int_value) for item in span.attributes}


@contextmanager
def collecting(answer: Callable[[], int] = lambda: 200) -> Iterator[Collector]:
    """`answer` gives the status of each request; what is not answered by 200 is not kept."""

    class Endpoint(Handler):
        def asked(self) -> None:
            body = self.body()
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            status = answer()
            if status == 200:
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.answer(status)

    with answering(Endpoint) as url:
        collector = Collector(url)
        yield collector
