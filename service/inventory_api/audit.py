"""Who changed what, when and in which request.

Written in the transaction of the change, never changed, and removed by retention alone; triggers see to it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from inventory_api import codec
from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement

INSERT = Statement(
    "audit.insert",
    """
    INSERT INTO audit_entry (id, resource, action, changes, actor, request_id, trace_id)
    SELECT id, resource, action, changes::jsonb, actor, request_id, trace_id
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
         WITH ORDINALITY AS changed (id, resource, action, changes, actor, request_id, trace_id, number)
    ORDER BY number
    """,
)

PURGE = Statement(
    "audit.purge",
    """
    DELETE FROM audit_entry
    WHERE id IN (SELECT id
                 FROM audit_entry
                 WHERE created_at < statement_timestamp() - $1 * interval '1 day'
                 ORDER BY created_at, id
                 LIMIT $2)
    """,
)
# Of each transaction, so that it is short.
PURGED = 5_000

PAGE = Listing(
    "audit.page",
    """
    SELECT id, resource, action, changes, actor, request_id, trace_id, created_at
    FROM audit_entry
    {where}
    ORDER BY created_at DESC, id DESC
    LIMIT {limit}
    """,
    {
        "after": "(created_at, id) < ({}, {})",
        "resource": "resource = {}",
        "actor": "actor = {}",
        "request_id": "request_id = {}",
    },
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
    names = sorted(before.keys() | after.keys())
    pairs = ((name, before.get(name), after.get(name)) for name in names)
    return {name: {"before": old, "after": new} for name, old, new in pairs if not _is_same(old, new)}


def _is_same(before: Any, after: Any) -> bool:
    if type(before) is type(after) is str:
        return bool(before == after)
    return before is after or codec.canonical(before) == codec.canonical(after)


async def record(
    session: Session, action: str, changes: Mapping[str, Mapping[str, Any]], provenance: Provenance
) -> None:
    """Write a row for each resource that `changes` names with a field that differs, in the caller's transaction.

    What is known of a resource elsewhere, as in a cache, is forgotten after COMMIT: whoever writes says so here, also
    where what was done came to nothing, as of an adjustment by 5 and by -5.
    """
    session.changed(*changes)
    told = provenance.actor, provenance.request_id, provenance.trace_id
    rows = [(uuid7(), resource, action, codec.encode(fields), *told) for resource, fields in changes.items() if fields]
    await session.write(INSERT, *rows)


@dataclass(frozen=True, slots=True)
class Filters:
    """Each narrows the list; None does not."""

    resource: str | None = None
    actor: str | None = None
    request_id: str | None = None


async def page(
    session: Session, filters: Filters, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Entry]:
    """At most `limit` rows that come after the position `after`, newest first."""
    statement, arguments = PAGE.page(given(after, **asdict(filters)), limit)
    rows = await session.fetch(statement, *arguments)
    return [Entry(**{**row, "changes": _changes(row["changes"])}) for row in rows]


async def purge(session: Session, days: int) -> int:
    """Remove rows that are older; how many, at most `PURGED`. The database refuses to, before they are 90 days old."""
    return await session.execute(PURGE, days, PURGED)


def _changes(text: str) -> dict[str, Any]:
    """jsonb keeps no order of members."""
    return {name: {"before": change["before"], "after": change["after"]} for name, change in codec.decode(text).items()}
