"""The SQL of levels and of the ledger.

Whoever makes a level holds the lock of its item first. So do edits of an item, which lock its levels after that: items
before levels, each in the order of their keys, and nobody waits in a circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.stock.model import Change, Level, Movement

RESOLVE = Statement(
    "stock.resolve",
    """
    SELECT item.sku IS NOT NULL AS is_known, coalesce(line.location, item.warehouse_location) AS location,
           location.active AS is_active, level.sku IS NOT NULL AS has_level
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS line (sku, location, number)
    LEFT JOIN item ON item.sku = line.sku
    LEFT JOIN location ON location.code = coalesce(line.location, item.warehouse_location)
    LEFT JOIN stock_level level ON level.sku = item.sku AND level.location = location.code
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

LOCK_LEVELS = Statement(
    "stock.lock_levels",
    """
    SELECT level.sku, level.location, level.on_hand, level.reserved, level.version
    FROM stock_level level
    JOIN (SELECT DISTINCT sku, location FROM unnest($1::text[], $2::text[]) AS line (sku, location)) AS wanted
         USING (sku, location)
    ORDER BY sku, location
    FOR NO KEY UPDATE OF level
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

SET_LEVELS = Statement(
    "stock.set_levels",
    """
    UPDATE stock_level
    SET on_hand = moved.on_hand, version = version + 1
    FROM unnest($1::text[], $2::text[], $3::integer[]) AS moved (sku, location, on_hand)
    WHERE stock_level.sku = moved.sku AND stock_level.location = moved.location
    """,
)

INSERT_MOVEMENTS = Statement(
    "stock.insert_movements",
    """
    INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason,
                                reference, actor, request_id, trace_id)
    SELECT id, sku, location, kind, on_hand_delta, 0, on_hand, reserved, reason, reference, $10, $11, $12
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::integer[], $7::integer[],
                $8::text[], $9::text[])
         AS moved (id, sku, location, kind, on_hand_delta, on_hand, reserved, reason, reference)
    RETURNING id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason, reference, actor,
              request_id, trace_id, created_at
    """,
)

MOVEMENTS_OF_ITEM = Statement(
    "stock.movements_of_item",
    """
    SELECT id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason, reference, actor,
           request_id, trace_id, created_at
    FROM stock_movement
    WHERE sku = $1
      AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
    ORDER BY created_at DESC, id DESC
    LIMIT $4
    """,
)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a change would be made. `is_active` is None where there is no such location."""

    is_known: bool
    location: str
    is_active: bool | None
    has_level: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A change with the level that it leads to."""

    change: Change
    location: str
    on_hand: int
    reserved: int


async def resolve(session: Session, changes: Sequence[Change]) -> list[Target]:
    """For each change, in order; nothing is locked."""
    rows = await session.fetch(RESOLVE, [one.sku for one in changes], [one.location for one in changes])
    return [Target(**row) for row in rows]


async def make_levels(session: Session, keys: Sequence[Key]) -> None:
    """With nothing on hand, where there are none; the items are locked for it."""
    skus, locations = [sku for sku, _ in keys], [location for _, location in keys]
    await session.execute(LOCK_ITEMS, skus)
    await session.execute(MAKE_LEVELS, skus, locations)


async def lock_levels(session: Session, keys: Sequence[Key]) -> dict[Key, Level]:
    """Nobody else changes them until the transaction ends."""
    rows = await session.fetch(LOCK_LEVELS, [sku for sku, _ in keys], [location for _, location in keys])
    return {(sku, level[0]): Level(*level) for sku, *level in rows}


async def lock_levels_of_item(session: Session, sku: str) -> tuple[Level, ...]:
    """All that there are; the item is locked already."""
    return tuple(Level(*row) for row in await session.fetch(LOCK_LEVELS_OF_ITEM, sku))


async def move(session: Session, steps: Sequence[Step], provenance: Provenance) -> list[Movement]:
    """Set the levels to where the steps lead, and write a movement for each of them."""
    reached = {(step.change.sku, step.location): step.on_hand for step in steps}
    await session.execute(SET_LEVELS, [sku for sku, _ in reached], [place for _, place in reached], [*reached.values()])
    rows = await session.fetch(
        INSERT_MOVEMENTS,
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
    return [Movement(**row) for row in await session.fetch(MOVEMENTS_OF_ITEM, sku, *after, limit)]
