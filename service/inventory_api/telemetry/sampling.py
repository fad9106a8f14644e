"""Whether a request is traced, decided before anything is built for its span.

The instrumentation collects a span's attributes first and has the sampler decide then. Here the provider's own sampler
is asked first: a request that it drops goes around the instrumentation, with its trace id and without a span.
docs/decisions/0008-sampling-before-the-instrumentation.md says why here.
"""

from collections.abc import Collection
from contextvars import ContextVar
from functools import cache

from fastapi import FastAPI
from opentelemetry import context, propagate, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from starlette.types import ASGIApp, Receive, Scope, Send

_decided: ContextVar[int] = ContextVar("decided_trace_id", default=0)


class TraceIds(RandomIdGenerator):
    """Random ids, but for a request that begins a trace: its span gets the id that its sampling was decided by."""

    def generate_trace_id(self) -> int:
        trace_id = _decided.get()
        if not trace_id:
            return super().generate_trace_id()
        _decided.set(0)
        return trace_id


class _Headers(Getter[Scope]):
    """Reads a request's headers for the propagators."""

    def get(self, carrier: Scope, key: str) -> list[str] | None:
        name = key.encode()
        return [value.decode("latin-1") for found, value in carrier["headers"] if found == name] or None

    def keys(self, carrier: Scope) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier["headers"]]


HEADERS = _Headers()


class SamplingMiddleware:
    """Sends a request to `traced` or to `untraced`, as the provider's sampler decides; `never` lists untraced paths."""

    def __init__(self, traced: ASGIApp, untraced: ASGIApp, provider: TracerProvider, never: Collection[str]) -> None:
        self._traced = traced
        self._untraced = untraced
        self._sampler = provider.sampler
        self._ids = provider.id_generator
        self._never = never

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._never:
            await self._untraced(scope, receive, send)
            return
        parent = propagate.extract(scope, getter=HEADERS)
        caller = trace.get_current_span(parent).get_span_context()
        trace_id = caller.trace_id if caller.is_valid else self._ids.generate_trace_id()
        result = self._sampler.should_sample(parent, trace_id, scope["method"], trace.SpanKind.SERVER)
        if result.decision is not Decision.DROP:
            await self._trace(0 if caller.is_valid else trace_id, scope, receive, send)
            return
        flags = trace.TraceFlags(caller.trace_flags & ~trace.TraceFlags.SAMPLED)
        dropped = trace.SpanContext(trace_id, self._ids.generate_span_id(), False, flags, result.trace_state)
        token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(dropped), parent))
        try:
            await self._untraced(scope, receive, send)
        finally:
            context.detach(token)

    async def _trace(self, trace_id: int, scope: Scope, receive: Receive, send: Send) -> None:
        token = _decided.set(trace_id)
        try:
            await self._traced(scope, receive, send)
        finally:
            _decided.reset(token)


def instrument(app: FastAPI, provider: TracerProvider, *, never: Collection[str]) -> None:
    """Give each sampled request of an application one server span. `provider` makes its ids by `TraceIds`.

    Both ways lead to one and the same stack of middleware, so that what counts requests counts all of them.
    """
    untraced = cache(app.build_middleware_stack)
    app.build_middleware_stack = untraced  # type: ignore[method-assign]
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, exclude_spans=["send", "receive"])
    traced = app.build_middleware_stack
    app.build_middleware_stack = lambda: SamplingMiddleware(traced(), untraced(), provider, never)  # type: ignore[method-assign]
