"""Where traces are: a Jaeger, a Tempo, or files that a collector writes. Each finds ids of traces, and their spans."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Protocol

from inventory_api.trace import otlp
from inventory_api.trace.fetching import Client
from inventory_api.trace.lines import Reading
from inventory_api.trace.model import SourceFailed, Span
from inventory_api.trace.window import Window

SERVICE = "inventory-api"
MOST_TRACES = 20
MOST_SPANS = 10_000


class Store(Protocol):
    """Both raise SourceFailed."""

    name: str

    async def find(self, request_id: str, window: Window) -> Sequence[str]:
        """The ids of traces that have a span of this request."""
        ...

    async def spans(self, trace_ids: Sequence[str]) -> list[Span]:
        """All spans of these traces; none of one that is not there."""
        ...


class Jaeger:
    """By its query API: version 3 has a trace as OTLP; only the one of its pages searches by a tag."""

    def __init__(self, url: str, client: Client) -> None:
        self.name = url
        self._client = client

    async def find(self, request_id: str, window: Window) -> Sequence[str]:
        found = await self._client.get(
            f"{self.name}/api/traces",
            {
                "service": SERVICE,
                "tags": json.dumps({otlp.REQUEST_ID: request_id}),
                "start": int(window.start.timestamp() * 1e6),
                "end": int(window.end.timestamp() * 1e6),
                "limit": MOST_TRACES,
            },
        )
        return [str(one["traceID"]) for one in _rows(found, "data")]

    async def spans(self, trace_ids: Sequence[str]) -> list[Span]:
        answers = [await self._client.get(f"{self.name}/api/v3/traces/{one}") for one in trace_ids]
        return [span for answer in answers if answer for span in otlp.spans(_part(answer, "result"))]


class Tempo:
    """By its HTTP API, from 2.7 on."""

    def __init__(self, url: str, client: Client) -> None:
        self.name = url
        self._client = client

    async def find(self, request_id: str, window: Window) -> Sequence[str]:
        found = await self._client.get(
            f"{self.name}/api/search",
            {
                "q": f'{{ span.{otlp.REQUEST_ID} = "{request_id}" }}',
                "start": int(window.start.timestamp()),
                "end": int(window.end.timestamp()),
                "limit": MOST_TRACES,
            },
        )
        # It leaves out the zeros at the front of an id.
        return [str(one["traceID"]).zfill(32) for one in _rows(found, "traces")]

    async def spans(self, trace_ids: Sequence[str]) -> list[Span]:
        answers = [await self._client.get(f"{self.name}/api/v2/traces/{one}") for one in trace_ids]
        return [span for answer in answers if answer for span in otlp.spans(_part(answer, "trace"))]


class SpanFile:
    """Lines of OTLP JSON, as a collector's file exporter writes them."""

    def __init__(self, path: str, seconds: float) -> None:
        self.name = path
        self._seconds = seconds

    async def find(self, request_id: str, window: Window) -> Sequence[str]:
        del window
        of_request = [span for span in await self._read([request_id]) if _request_id(span) == request_id]
        return [*dict.fromkeys(span.trace_id for span in of_request)]

    async def spans(self, trace_ids: Sequence[str]) -> list[Span]:
        return [span for span in await self._read(trace_ids) if span.trace_id in trace_ids]

    async def _read(self, ids: Sequence[str]) -> list[Span]:
        reading = Reading(self.name, lambda texts: otlp.spans_of_lines(texts, ids), MOST_SPANS)
        found, problem = await asyncio.to_thread(reading.within, self._seconds)
        if problem is not None:
            raise SourceFailed(problem)
        return found


def _request_id(span: Span) -> str | None:
    return span.attributes.get(otlp.REQUEST_ID)


def _rows(answer: Any, name: str) -> list[dict[str, Any]]:
    """
    Raises:
        SourceFailed: it is not the answer of such a store.
    """
    if answer is None:
        raise SourceFailed("answers 404: is it the address of such a store?")
    # Where there are none, Jaeger has null in their place.
    found = _part(answer, name) or []
    if not isinstance(found, list):
        raise SourceFailed("does not answer as such a store does")
    return [one for one in found if isinstance(one, dict) and "traceID" in one]


def _part(answer: Any, name: str) -> Any:
    """
    Raises:
        SourceFailed: it is not the answer of such a store.
    """
    if not isinstance(answer, dict) or name not in answer:
        raise SourceFailed("does not answer as such a store does")
    return answer[name]
