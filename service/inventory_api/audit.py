"""Who changed what, when and in which request. Insert only, in the transaction of the change; a trigger sees to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from inventory_api import codec
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement

INSERT = Statement(
    "audit.insert",
    """
    INSERT INTO audit_entry (id, resource, action, changes, actor, request_id, trace_id)
    VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7)
    """,
)

PAGE = Statement(
    "audit.page_of_resource",
    """
    SELECT id, resource, action, changes, actor, request_id, trace_id, created_at
    FROM audit_entry
    WHERE resource = $1
      AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
    ORDER BY created_at DESC, id DESC
    LIMIT $4
    """,
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a change comes from; every audit row and every movement carries it."""

    actor: str
    request_id: str
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit row. `changes` maps each field that changed to its value before and after."""

    id: UUID
    resource: str
    action: str
    changes: dict[str, Any]
    actor: str
    request_id: str
    trace_id: str | None
    created_at: datetime


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Exactly the fields that differ: `{field: {"before": ..., "after": ...}}`, a missing one being None.

    Compared as JSON, because in Python `True == 1` and `1 == 1.0`.
    """
    return {
        name: {"before": before.get(name), "after": after.get(name)}
        for name in sorted(before.keys() | after.keys())
        if codec.canonical(before.get(name)) != codec.canonical(after.get(name))
    }


async def record(
    session: Session, resource: str, action: str, changes: Mapping[str, Any], provenance: Provenance
) -> None:
    """Write one row in the caller's transaction."""
    await session.execute(
        INSERT,
        uuid7(),
        resource,
        action,
        codec.encode(changes),
        provenance.actor,
        provenance.request_id,
        provenance.trace_id,
    )


async def page(session: Session, resource: str, after: tuple[datetime, UUID] | None, limit: int) -> list[Entry]:
    """At most `limit` rows of one resource, newest first, that come after the position `after`."""
    created_at, id_ = after or (None, None)
    rows = await session.fetch(PAGE, resource, created_at, id_, limit)
    return [Entry(**{**row, "changes": _changes(row["changes"])}) for row in rows]


def _changes(text: str) -> dict[str, Any]:
    """jsonb keeps no order of members."""
    return {name: {"before": change["before"], "after": change["after"]} for name, change in codec.decode(text).items()}
