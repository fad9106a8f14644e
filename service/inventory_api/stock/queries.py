"""The SQL of levels and of the ledger.

Whoever changes an item or a level takes the turn of the item first: PostgreSQL serves those who wait for an advisory
lock in the order in which they came, and those who wait for a row in none (docs/decisions/0012). Turns are 1,024,
whatever the items, so that the table of locks cannot fill. Rows are locked none the less: items before levels, each in
the order of their keys. Edits of an item lock all its levels, and whoever makes one locks the item.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from inventory_api.audit import Provenance
from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.stock.model import Change, Level, Movement

LOCK = Statement(
    "stock.lock",
    """
    WITH line AS (
        SELECT line.number, item.sku IS NOT NULL AS is_known, line.sku,
               coalesce(line.location, item.warehouse_location) AS location,
               location.active AS is_active, level.sku IS NOT NULL AS has_level
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS line (sku, location, number)
        LEFT JOIN item ON item.sku = line.sku
        LEFT JOIN location ON location.code = coalesce(line.location, item.warehouse_location)
        LEFT JOIN stock_level level ON level.sku = item.sku AND level.location = location.code
    ), turn AS (
        SELECT pg_advisory_xact_lock(hashtext('item'), number)
        FROM (SELECT DISTINCT hashtext(sku) & 1023 AS number FROM line ORDER BY number) AS wanted
    ), locked AS (
        SELECT level.sku, level.location, level.on_hand, level.reserved, level.version
        FROM stock_level level
        JOIN (SELECT DISTINCT sku, location FROM line) AS wanted USING (sku, location)
        WHERE (SELECT count(*) FROM turn) > 0 AND (SELECT bool_and(has_level) FROM line)
        ORDER BY sku, location
        FOR NO KEY UPDATE OF level
    )
    SELECT line.is_known, line.sku, line.location, line.is_active, line.has_level,
           locked.on_hand, locked.reserved, locked.version
    FROM line LEFT JOIN locked USING (sku, location)
    ORDER BY line.number
    """,
)

LOCK_ITEMS = Statement(
    "stock.lock_items",
    "SELECT sku FROM item WHERE sku = ANY($1) ORDER BY sku FOR NO KEY UPDATE",
)

MAKE_LEVELS = Statement(
    "stock.make_levels",
    """
    INSERT INTO stock_level (sku, location, on_hand)
    SELECT DISTINCT sku, location, 0
    FROM unnest($1::text[], $2::text[]) AS wanted (sku, location)
    ORDER BY sku, location
    ON CONFLICT (sku, location) DO NOTHING
    """,
)

LOCK_LEVELS_OF_ITEM = Statement(
    "stock.lock_levels_of_item",
    """
    SELECT location, on_hand, reserved, version
    FROM stock_level
    WHERE sku = $1
    ORDER BY location
    FOR NO KEY UPDATE
    """,
)

# The levels are locked, so what is read here is what they are.
MOVE = Statement(
    "stock.move",
    """
    WITH moved AS (
        SELECT *
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::integer[], $7::integer[],
                    $8::text[], $9::text[])
             WITH ORDINALITY
             AS step (id, sku, location, kind, on_hand_delta, on_hand, reserved, reason, reference, number)
    ), reached AS (
        UPDATE stock_level
        SET on_hand = last.on_hand, version = version + 1
        FROM (SELECT DISTINCT ON (sku, location) sku, location, on_hand
              FROM moved ORDER BY sku, location, number DESC) AS last
        WHERE stock_level.sku = last.sku AND stock_level.location = last.location
    )
    INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason,
                                reference, actor, request_id, trace_id)
    SELECT id, sku, location, kind, on_hand_delta, 0, on_hand, reserved, reason, reference, $10, $11, $12
    FROM moved
    ORDER BY number
    RETURNING id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason, reference, actor,
              request_id, trace_id, created_at
    """,
)

MOVEMENTS_OF_ITEM = Listing(
    "stock.movements_of_item",
    """
    SELECT id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason, reference, actor,
           request_id, trace_id, created_at
    FROM stock_movement
    {where}
    ORDER BY created_at DESC, id DESC
    LIMIT {limit}
    """,
    {"after": "(created_at, id) < ({}, {})", "sku": "sku = {}"},
)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a change would be made. `is_active` is None where there is no such location."""

    is_known: bool
    sku: str
    location: str
    is_active: bool | None
    has_level: bool
    level: Level | None

    @property
    def key(self) -> Key:
        return self.sku, self.location


@dataclass(frozen=True, slots=True)
class Step:
    """A change with the level that it leads to."""

    change: Change
    location: str
    on_hand: int
    reserved: int


async def lock(session: Session, lines: Sequence[tuple[str, str | None]]) -> list[Target]:
    """For each sku and location, in order; the location None is that of the item.

    Nobody else changes the levels until the transaction ends. Where one is missing, none is given, and none locked.
    """
    rows = await session.fetch(LOCK, [sku for sku, _ in lines], [location for _, location in lines])
    return [_target(row) for row in rows]


async def make_levels(session: Session, keys: Sequence[Key]) -> None:
    """With nothing on hand, where there are none; the items are locked for it."""
    skus, locations = [sku for sku, _ in keys], [location for _, location in keys]
    await session.execute(LOCK_ITEMS, skus)
    await session.execute(MAKE_LEVELS, skus, locations)


async def lock_levels_of_item(session: Session, sku: str) -> tuple[Level, ...]:
    """All that there are; the item is locked already."""
    return tuple(Level(*row) for row in await session.fetch(LOCK_LEVELS_OF_ITEM, sku))


async def move(session: Session, steps: Sequence[Step], provenance: Provenance) -> list[Movement]:
    """Set the levels to where the steps lead, and write a movement for each of them."""
    rows = await session.fetch(
        MOVE,
        [uuid7() for _ in steps],
        [step.change.sku for step in steps],
        [step.location for step in steps],
        [step.change.kind for step in steps],
        [step.change.on_hand_delta for step in steps],
        [step.on_hand for step in steps],
        [step.reserved for step in steps],
        [step.change.reason for step in steps],
        [step.change.reference for step in steps],
        provenance.actor,
        provenance.request_id,
        provenance.trace_id,
    )
    return [Movement(**row) for row in rows]


async def movements_of_item(
    session: Session, sku: str, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Movement]:
    """Newest first."""
    statement, arguments = MOVEMENTS_OF_ITEM.page(given(after, sku=sku), limit)
    return [Movement(**row) for row in await session.fetch(statement, *arguments)]


def _target(row: asyncpg.Record) -> Target:
    is_known, sku, location, is_active, has_level, on_hand, reserved, version = row
    level = Level(location, on_hand, reserved, version) if version is not None else None
    return Target(is_known, sku, location, is_active, has_level, level)
