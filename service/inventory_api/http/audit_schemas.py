"""The payload of audit pages."""

from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel

from inventory_api.audit import Entry
from inventory_api.http.schemas import UtcDatetime


class AuditEntryView(BaseModel):
    """One change: `changes` holds exactly the fields that changed, with their values before and after."""

    id: UUID
    resource: str
    action: str
    changes: dict[str, dict[str, Any]]
    actor: str
    request_id: str
    trace_id: str | None
    created_at: UtcDatetime

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls(
            id=entry.id,
            resource=entry.resource,
            action=entry.action,
            changes=entry.changes,
            actor=entry.actor,
            request_id=entry.request_id,
            trace_id=entry.trace_id,
            created_at=entry.created_at,
        )


class AuditPage(BaseModel):
    """Newest first."""

    items: list[AuditEntryView]
    next_cursor: str | None
