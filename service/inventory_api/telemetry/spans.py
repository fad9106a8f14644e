"""Spans below that of the request or job: they cost nothing where that one is not recorded."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from opentelemetry import trace

_NO_SPAN = nullcontext()


def child_span(
    tracer: trace.Tracer,
    name: str,
    kind: trace.SpanKind = trace.SpanKind.INTERNAL,
    attributes: Mapping[str, str] | None = None,
) -> AbstractContextManager[object]:
    """A span of what is done inside the `with`, below the current span; none where that is absent or not recorded."""
    if not trace.get_current_span().is_recording():
        return _NO_SPAN
    return tracer.start_as_current_span(name, kind=kind, attributes=attributes)
