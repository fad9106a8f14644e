"""The SQL of levels and of the ledger.

Whoever changes an item or a level takes the turn of the item first: PostgreSQL serves those who wait for an advisory
lock in the order in which they came, and those who wait for a row in none (docs/decisions/0012). Turns are 1,024,
whatever the items, so that the table of locks cannot fill. Rows are locked none the less: items before levels, each in
the order of their keys. Edits of an item lock all its levels, and whoever makes one locks the item.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from inventory_api.audit import Provenance
from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.stock.model import Demand, Key, Kind, Level, Movement, Step

# Items are locked to be read as they are when the turn has come, and not as they were when it was asked for.
LOCKING = """
    turn AS (
        SELECT pg_advisory_xact_lock(hashtext('item'), number)
        FROM (SELECT DISTINCT hashtext(sku) & 1023 AS number FROM unnest($1::text[]) AS line (sku) ORDER BY number)
             AS wanted
    ), known AS (
        SELECT sku, warehouse_location, is_discontinued, low_stock_threshold
        FROM item
        WHERE (SELECT count(*) FROM turn) > 0 AND sku = ANY($1)
        ORDER BY sku
        FOR NO KEY UPDATE
    ), line AS (
        SELECT line.number, known.sku IS NOT NULL AS is_known, known.is_discontinued, known.low_stock_threshold,
               line.sku,
               coalesce(line.location, known.warehouse_location) AS location,
               line.location IS NULL OR location.code IS NOT NULL AS has_location, level.sku IS NOT NULL AS has_level
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS line (sku, location, number)
        LEFT JOIN known ON known.sku = line.sku
        LEFT JOIN location ON location.code = line.location
        LEFT JOIN stock_level level
               ON level.sku = known.sku AND level.location = coalesce(line.location, known.warehouse_location)
    ), locked AS (
        SELECT level.sku, level.location, level.on_hand, level.reserved, level.version
        FROM stock_level level
        JOIN (SELECT DISTINCT sku, location FROM line) AS wanted USING (sku, location)
        WHERE (SELECT bool_and(has_level) FROM line)
        ORDER BY sku, location
        FOR NO KEY UPDATE OF level
    )"""

TARGET = """
           line.is_known, line.sku, line.location, line.has_location, line.has_level, line.is_discontinued,
           line.low_stock_threshold, locked.on_hand, locked.reserved, locked.version"""

LOCK = Statement(
    "stock.lock",
    f"""
    WITH {LOCKING}
    SELECT {TARGET}
    FROM line LEFT JOIN locked USING (sku, location)
    ORDER BY line.number
    """,  # noqa: S608 -- constants
)

# Decided by the levels as they are locked, all or none; the turn is kept for no round trip in between. `on_hand` is set
# as well: PostgreSQL checks what is set together with the rest of the row as it was before the turn was waited for.
TAKE = Statement(
    "stock.take",
    f"""
    WITH {LOCKING}, wanted AS (
        SELECT sku, location, sum(demand.quantity) AS quantity, min(number)::integer AS number
        FROM line JOIN unnest($3::integer[]) WITH ORDINALITY AS demand (quantity, number) USING (number)
        GROUP BY sku, location
    ), decided AS (
        SELECT coalesce(bool_and(NOT line.is_discontinued
                                 AND coalesce(locked.on_hand - locked.reserved >= wanted.quantity, false)), false)
               AS is_taken
        FROM line LEFT JOIN locked USING (sku, location) LEFT JOIN wanted USING (sku, location)
    ), reached AS (
        UPDATE stock_level level
        SET on_hand = locked.on_hand, reserved = locked.reserved + wanted.quantity, version = locked.version + 1
        FROM locked JOIN wanted USING (sku, location)
        WHERE level.sku = locked.sku AND level.location = locked.location AND (SELECT is_taken FROM decided)
        RETURNING wanted.number, level.sku, level.location, wanted.quantity, level.on_hand, level.reserved
    ), written AS (
        INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved,
                                    reference, actor, request_id, trace_id)
        SELECT ($4::uuid[])[number], sku, location, $5, 0, quantity, on_hand, reserved, $6, $7, $8, $9
        FROM reached
        ORDER BY number
    )
    SELECT {TARGET}, decided.is_taken, clock_timestamp() AS moment
    FROM line LEFT JOIN locked USING (sku, location) CROSS JOIN decided
    ORDER BY line.number
    """,  # noqa: S608 -- constants
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

# What the turn keeps still is read here as it is: the levels of the items.
MOVE = Statement(
    "stock.move",
    """
    WITH moved AS (
        SELECT *
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::integer[], $7::integer[],
                    $8::integer[], $9::text[], $10::text[])
             WITH ORDINALITY
             AS step (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason, reference,
                      number)
    ), reached AS (
        UPDATE stock_level
        SET on_hand = last.on_hand, reserved = last.reserved, version = version + 1
        FROM (SELECT DISTINCT ON (sku, location) sku, location, on_hand, reserved
              FROM moved ORDER BY sku, location, number DESC) AS last
        WHERE stock_level.sku = last.sku AND stock_level.location = last.location
    ), written AS (
        INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason,
                                    reference, actor, request_id, trace_id)
        SELECT id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason, reference,
               $11, $12, $13
        FROM moved
        ORDER BY number
        RETURNING id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason, reference, actor,
                  request_id, trace_id, created_at
    ), total AS (
        SELECT sku, sum(on_hand) AS on_hand
        FROM (
            SELECT sku, on_hand FROM stock_level WHERE sku = ANY($2)
            UNION ALL
            SELECT sku, on_hand_delta FROM moved
        ) AS part
        GROUP BY sku
    )
    SELECT written.*, location.active, total.on_hand AS on_hand_of_item
    FROM written
    JOIN moved USING (id)
    JOIN location ON location.code = written.location
    JOIN total ON total.sku = written.sku
    ORDER BY moved.number
    """,
)

MOVEMENTS = Listing(
    "stock.movements",
    """
    SELECT id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason, reference, actor,
           request_id, trace_id, created_at
    FROM stock_movement
    {where}
    ORDER BY created_at DESC, id DESC
    LIMIT {limit}
    """,
    {"after": "(created_at, id) < ({}, {})", "sku": "sku = {}", "request_id": "request_id = {}"},
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a change would be made."""

    is_known: bool
    sku: str
    location: str
    has_location: bool
    has_level: bool
    is_discontinued: bool
    low_stock_threshold: int | None
    level: Level | None

    @property
    def key(self) -> Key:
        return self.sku, self.location


@dataclass(frozen=True, slots=True)
class Made:
    """The movement of a step; whether its location takes stock; and what is then on hand of the item, everywhere."""

    movement: Movement
    takes_stock: bool
    on_hand_of_item: int


async def lock(session: Session, lines: Sequence[tuple[str, str | None]]) -> list[Target]:
    """For each sku and location, in order; the location None is that of the item.

    Nobody else changes the levels until the transaction ends. Where one is missing, none is given, and none locked.
    """
    rows = await session.fetch(LOCK, [sku for sku, _ in lines], [location for _, location in lines])
    return [_target(*row) for row in rows]


async def take(
    session: Session, demands: Sequence[Demand], kind: Kind, reference: str, provenance: Provenance
) -> tuple[list[Target], datetime | None]:
    """As `lock`; and where every line can have what it asks for, reserve that, with a movement for each level.

    Tells the levels as they were; and when it was done, if it was.
    """
    rows = await session.fetch(
        TAKE,
        [demand.sku for demand in demands],
        [demand.location for demand in demands],
        [demand.quantity for demand in demands],
        [uuid7() for _ in demands],
        kind,
        reference,
        provenance.actor,
        provenance.request_id,
        provenance.trace_id,
    )
    is_taken = all(row["is_taken"] for row in rows)
    return [_target(*values) for *values, _, _ in rows], rows[0]["moment"] if is_taken else None


async def make_levels(session: Session, keys: Sequence[Key]) -> None:
    """With nothing on hand, where there are none; the items are locked for it."""
    skus, locations = [sku for sku, _ in keys], [location for _, location in keys]
    await session.execute(LOCK_ITEMS, skus)
    await session.execute(MAKE_LEVELS, skus, locations)


async def lock_levels_of_item(session: Session, sku: str) -> tuple[Level, ...]:
    """All that there are; the item is locked already."""
    return tuple(Level(*row) for row in await session.fetch(LOCK_LEVELS_OF_ITEM, sku))


async def move(session: Session, steps: Sequence[Step], provenance: Provenance) -> list[Made]:
    """Set the levels to where the steps lead, and write a movement for each of them, in their order."""
    rows = await session.fetch(
        MOVE,
        [uuid7() for _ in steps],
        [step.sku for step in steps],
        [step.location for step in steps],
        [step.kind for step in steps],
        [step.on_hand_delta for step in steps],
        [step.reserved_delta for step in steps],
        [step.on_hand for step in steps],
        [step.reserved for step in steps],
        [step.reason for step in steps],
        [step.reference for step in steps],
        provenance.actor,
        provenance.request_id,
        provenance.trace_id,
    )
    return [_made(*row) for row in rows]


async def movements(
    session: Session,
    after: tuple[datetime | None, UUID | None],
    limit: int,
    *,
    sku: str | None = None,
    request_id: str | None = None,
) -> list[Movement]:
    """Those of an item or of a request, newest first."""
    statement, arguments = MOVEMENTS.page(given(after, sku=sku, request_id=request_id), limit)
    return [Movement(**row) for row in await session.fetch(statement, *arguments)]


def _target(*row: Any) -> Target:
    is_known, sku, location, has_location, has_level, is_discontinued, threshold, on_hand, reserved, version = row
    level = Level(location, on_hand, reserved, version) if version is not None else None
    return Target(is_known, sku, location, has_location, has_level, bool(is_discontinued), threshold, level)


def _made(*row: Any) -> Made:
    *movement, takes_stock, on_hand_of_item = row
    return Made(Movement(*movement), takes_stock, on_hand_of_item)
