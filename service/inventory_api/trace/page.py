"""A report as text: a page of sections, times in UTC, or as JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from inventory_api.codec import rfc3339
from inventory_api.trace.model import AuditRow, DeliveryRow, JobRow, LogLine, MovementRow, Report, Section, Span
from inventory_api.trace.tree import Branch, tree

TITLES = {
    "logs": "log lines",
    "spans": "spans",
    "audit": "audit rows",
    "movements": "stock movements",
    "jobs": "jobs",
    "deliveries": "webhook deliveries",
}
# Said at the head, or by the row itself.
SAID = frozenset({"app.request_id", "http.request.method", "http.route"})


def as_json(report: Report) -> str:
    """The fields of `Report`, with times as RFC 3339."""
    return json.dumps(asdict(report), default=_plain, indent=2, ensure_ascii=False)


def as_text(report: Report) -> str:
    """A section for each kind, also where it is empty; nothing in it can control a terminal."""
    lines = [f"request  {report.request_id}", *(f"trace    {one}" for one in report.trace_ids)]
    if not report.trace_ids:
        lines.append("trace    not known")
    for name, section in report.sections().items():
        lines += ["", *_head(TITLES[name], section)]
        rows = _trees(section.rows) if name == "spans" else (line for row in section.rows for line in _row(row))
        lines += [f"  {line}" for line in rows]
    return "\n".join(map(_printable, lines))


def _head(title: str, section: Section[Any]) -> Iterator[str]:
    if not section.sources:
        yield f"{title}: not asked: {section.unasked}"
        return
    names = ", ".join(source.name for source in section.sources)
    yield f"{title}: {len(section.rows) or 'none'} ({names})"
    for source in section.sources:
        for sign, said in (("!", source.problem), ("-", source.note)):
            if said is not None:
                yield f"  {sign} {source.name}: {said}"


def _trees(spans: list[Span]) -> Iterator[str]:
    for trace_id in dict.fromkeys(span.trace_id for span in spans):
        branches = tree(span for span in spans if span.trace_id == trace_id)
        yield f"{trace_id}  from {_moment(branches[0].span.start_ns)}"
        yield f"{'offset ms':>12}{'duration ms':>13}"
        yield from map(_branch, branches)


def _branch(branch: Branch) -> str:
    span = branch.span
    words = [span.name, *_pairs(span.attributes)]
    if span.kind in {"client", "producer", "consumer"}:
        words.insert(1, f"[{span.kind}]")
    if span.status == "error":
        words.insert(1, "ERROR")
    if branch.is_cut:
        words.append("(its parent is not here)")
    return f"{branch.offset_ms:12.3f}{branch.duration_ms:13.3f}  {'  ' * branch.depth}{' '.join(words)}"


def _row(row: Any) -> Iterator[str]:
    match row:
        case LogLine():
            yield " ".join([row.timestamp, f"{row.level:<7}", f"{row.logger}:", row.message, *_pairs(row.fields)])
        case AuditRow():
            yield f"{rfc3339(row.created_at)} {row.action} {row.resource} by {row.actor} ({', '.join(row.changed)})"
        case MovementRow():
            yield (
                f"{rfc3339(row.created_at)} {row.kind} {row.sku} at {row.location}: on hand {row.on_hand_delta:+d} to "
                f"{row.on_hand}, reserved {row.reserved_delta:+d} to {row.reserved}, by {row.actor}"
            )
        case JobRow():
            starts = f", {row.starts} starts" if row.starts is not None else ""
            error = f": {row.error}" if row.error else ""
            yield f"{rfc3339(row.updated_at)} job {row.id} {row.entrypoint}: {row.state}{starts}{error}"
        case DeliveryRow():
            yield from _delivery(row)


def _delivery(row: DeliveryRow) -> Iterator[str]:
    due = f", next attempt {rfc3339(row.next_attempt_at)}" if row.next_attempt_at is not None else ""
    yield f"{rfc3339(row.created_at)} {row.event_type} {row.event_id} to {row.endpoint_id}: {row.status}{due}"
    for one in row.attempts:
        came = one.reason or (f"status {one.status_code}" if one.status_code is not None else "no outcome yet")
        took = f" in {one.duration_ms:.1f} ms" if one.duration_ms is not None else ""
        yield f"  {rfc3339(one.started_at)} attempt {one.number}: {came}{took}"


def _pairs(fields: Mapping[str, Any]) -> list[str]:
    return [f"{name}={_value(value)}" for name, value in fields.items() if name not in SAID]


def _value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _moment(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def _printable(line: str) -> str:
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in line)


def _plain(value: Any) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)
