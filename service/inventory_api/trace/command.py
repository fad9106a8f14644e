"""Asks every place that is named, and writes the page."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from inventory_api.trace import logs, loki, page, rows
from inventory_api.trace.fetching import Client
from inventory_api.trace.lines import Reading
from inventory_api.trace.model import Report, SourceFailed, Span
from inventory_api.trace.stores import Jaeger, SpanFile, Store, Tempo
from inventory_api.trace.window import Window, window

NOTHING_FOUND, INCOMPLETE = 1, 3
NO_DATABASE = "no INVENTORY_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Sources:
    """Each is asked where it is named. `hours` bound the search of stores, `seconds` each wait."""

    log_files: Sequence[str] = ()
    loki: str | None = None
    loki_selector: str | None = None
    jaeger: str | None = None
    tempo: str | None = None
    span_files: Sequence[str] = ()
    dsn: str | None = None
    hours: float = 24.0
    seconds: float = 10.0


def run(request_id: str, sources: Sources, write: Callable[[str], object], *, is_json: bool) -> int:
    """The exit status: 0, or 1 where nothing was found, or 3 where a place that was asked has not told all."""
    report = asyncio.run(collect(request_id, sources, datetime.now(UTC)))
    write(page.as_json(report) if is_json else page.as_text(report))
    sections = report.sections().values()
    if any(source.problem is not None for section in sections for source in section.sources):
        return INCOMPLETE
    return 0 if any(section.rows for section in sections) else NOTHING_FOUND


async def collect(request_id: str, sources: Sources, now: datetime) -> Report:
    """What there is; a place that cannot be read is a problem of its section, and the others are read all the same."""
    report = Report(request_id)
    searched = window(request_id, sources.hours, now)
    async with Client(sources.seconds) as client:
        await asyncio.gather(_logs(report, sources, client, searched), _rows(report, sources))
        await _spans(report, _stores(sources, client), searched)
    return report


async def _logs(report: Report, sources: Sources, client: Client, searched: Window) -> None:
    report.logs.unasked = "no --logs and no --loki"
    for path in sources.log_files:
        reading = Reading(path, lambda texts: logs.of_request(texts, report.request_id), logs.MOST)
        try:
            found, problem = await asyncio.to_thread(reading.within, sources.seconds)
            report.logs.add(path, found, problem)
        except SourceFailed as failure:
            report.logs.add(path, (), str(failure))
    if sources.loki is not None:
        selector = sources.loki_selector or loki.SELECTOR
        try:
            found, problem = await loki.read(client, sources.loki, selector, report.request_id, searched)
            report.logs.add(sources.loki, found, problem)
        except SourceFailed as failure:
            report.logs.add(sources.loki, (), str(failure))
    report.logs.rows = logs.in_order(report.logs.rows)


async def _rows(report: Report, sources: Sources) -> None:
    sections = report.audit, report.movements, report.jobs, report.deliveries
    for section in sections:
        section.unasked = NO_DATABASE
    if sources.dsn is None:
        return
    try:
        await rows.read(sources.dsn, report.request_id, sources.seconds, report)
    except SourceFailed as failure:
        for section in sections:
            if not section.sources:
                section.add(rows.NAME, (), str(failure))


async def _spans(report: Report, stores: Sequence[Store], searched: Window) -> None:
    """Of the traces that lines and rows name; where none does, of those that have a span with the request id."""
    report.spans.unasked = "no --jaeger, no --tempo and no --spans"
    named = [row.trace_id for section in report.sections().values() for row in section.rows]
    report.trace_ids = [*dict.fromkeys(one for one in named if one)]
    is_named = bool(report.trace_ids)
    for store in stores:
        try:
            trace_ids = report.trace_ids if is_named else await store.find(report.request_id, searched)
            found = await store.spans(trace_ids) if trace_ids else []
            report.spans.add(store.name, found, note=_missing(trace_ids, found))
            report.trace_ids = [*dict.fromkeys((*report.trace_ids, *trace_ids))]
        except SourceFailed as failure:
            report.spans.add(store.name, (), str(failure))
    report.spans.rows = _each_once(report.spans.rows)


def _missing(trace_ids: Sequence[str], found: Sequence[Span]) -> str | None:
    missing = sorted({*trace_ids} - {span.trace_id for span in found})
    return f"not there, so not sampled or kept no more: {', '.join(missing)}" if missing else None


def _each_once(spans: Sequence[Span]) -> list[Span]:
    return [*{(span.trace_id, span.span_id): span for span in spans}.values()]


def _stores(sources: Sources, client: Client) -> list[Store]:
    stores: list[Store] = [SpanFile(path, sources.seconds) for path in sources.span_files]
    if sources.jaeger is not None:
        stores.append(Jaeger(sources.jaeger, client))
    if sources.tempo is not None:
        stores.append(Tempo(sources.tempo, client))
    return stores
