"""What there is of one request, by the place that has it. No bodies, no values of fields, and no secrets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

T = TypeVar("T")


class SourceFailed(Exception):
    """A source could not be read; the message is the cause, in words for people."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place that was asked. With a `problem`, what there is of it may not be all; a `note` is no failure."""

    name: str
    problem: str | None = None
    note: str | None = None


@dataclass(slots=True)
class Section(Generic[T]):
    """What the sources of one kind have; without sources, nobody was asked, for the reason in `unasked`."""

    unasked: str = ""
    sources: list[Source] = field(default_factory=list)
    rows: list[T] = field(default_factory=list)

    def add(self, name: str, rows: Iterable[T], problem: str | None = None, note: str | None = None) -> None:
        self.sources.append(Source(name, problem, note))
        self.rows.extend(rows)


@dataclass(frozen=True, slots=True)
class LogLine:
    """`fields` are those of docs/telemetry.md that have a name of their own here."""

    timestamp: str
    level: str
    logger: str
    message: str
    trace_id: str | None
    span_id: str | None
    trace_flags: str | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """Times in nanoseconds since 1970; `status` is unset, ok or error."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    service: str
    start_ns: int
    end_ns: int
    status: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """`changed` are names of fields."""

    id: UUID
    resource: str
    action: str
    changed: list[str]
    actor: str
    trace_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MovementRow:
    """The deltas, and the level that they led to."""

    id: UUID
    sku: str
    location: str
    kind: str
    on_hand_delta: int
    reserved_delta: int
    on_hand: int
    reserved: int
    actor: str
    trace_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class JobRow:
    """`state` is waiting, running, dead or done. Of one that is done, the queue's log has only its end."""

    id: int
    entrypoint: str
    state: str
    starts: int | None
    error: str | None
    trace_id: str | None
    created_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """Without status and reason it is being made, or its worker has ended."""

    number: int
    started_at: datetime
    duration_ms: float | None
    status_code: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """What one endpoint is told of one event."""

    id: UUID
    event_id: UUID
    event_type: str
    endpoint_id: UUID
    status: str
    next_attempt_at: datetime | None
    trace_id: str | None
    created_at: datetime
    attempts: list[AttemptRow]


@dataclass(slots=True)
class Report:
    """One request."""

    request_id: str
    trace_ids: list[str] = field(default_factory=list)
    logs: Section[LogLine] = field(default_factory=Section)
    spans: Section[Span] = field(default_factory=Section)
    audit: Section[AuditRow] = field(default_factory=Section)
    movements: Section[MovementRow] = field(default_factory=Section)
    jobs: Section[JobRow] = field(default_factory=Section)
    deliveries: Section[DeliveryRow] = field(default_factory=Section)

    def sections(self) -> dict[str, Section[Any]]:
        """In the order of the page."""
        return {
            "logs": self.logs,
            "spans": self.spans,
            "audit": self.audit,
            "movements": self.movements,
            "jobs": self.jobs,
            "deliveries": self.deliveries,
        }
