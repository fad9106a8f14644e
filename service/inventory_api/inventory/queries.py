"""The SQL of items, levels and movements."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import asyncpg
from uuid_utils.compat import uuid7

from inventory_api import codec
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.errors import Detail, UnknownLocation
from inventory_api.inventory.model import Item, Level

GET_ITEM = Statement(
    "inventory.get_item",
    """
    SELECT sku, name, warehouse_location, is_discontinued, low_stock_threshold, attributes, version,
           created_at, updated_at,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(l.location, l.on_hand, l.reserved, l.version)
                                      ORDER BY l.location), '[]')
            FROM stock_level l WHERE l.sku = item.sku) AS levels
    FROM item
    WHERE sku = $1
    """,
)

LOCK_ITEM = Statement(
    "inventory.lock_item",
    """
    SELECT sku, name, warehouse_location, is_discontinued, low_stock_threshold, attributes, version,
           created_at, updated_at
    FROM item
    WHERE sku = $1
    FOR NO KEY UPDATE
    """,
)

LOCK_LEVELS = Statement(
    "inventory.lock_levels",
    """
    SELECT location, on_hand, reserved, version
    FROM stock_level
    WHERE sku = $1
    ORDER BY location
    FOR UPDATE
    """,
)

INSERT_ITEM = Statement(
    "inventory.insert_item",
    """
    INSERT INTO item (sku, name, warehouse_location, is_discontinued, low_stock_threshold, attributes)
    VALUES ($1, $2, $3, $4, $5, $6::jsonb)
    ON CONFLICT (sku) DO NOTHING
    RETURNING sku
    """,
)

UPDATE_ITEM = Statement(
    "inventory.update_item",
    """
    UPDATE item
    SET name = $2, warehouse_location = $3, is_discontinued = $4, low_stock_threshold = $5, attributes = $6::jsonb,
        version = version + 1, updated_at = clock_timestamp()
    WHERE sku = $1
    """,
)

ENSURE_LEVEL = Statement(
    "inventory.ensure_level",
    "INSERT INTO stock_level (sku, location, on_hand) VALUES ($1, $2, 0) ON CONFLICT (sku, location) DO NOTHING",
)

MOVE_ON_HAND = Statement(
    "inventory.move_on_hand",
    """
    WITH level AS (
        UPDATE stock_level
        SET on_hand = on_hand + $3, version = version + 1
        WHERE sku = $1 AND location = $2
        RETURNING on_hand, reserved
    )
    INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, reason,
                                actor, request_id, trace_id)
    SELECT $4, $1, $2, $5, $3, 0, on_hand, reserved, $6, $7, $8, $9
    FROM level
    """,
)


async def get_item(session: Session, sku: str) -> Item | None:
    """The item with its levels as one snapshot, or None."""
    row = await session.fetch_one(GET_ITEM, sku)
    if row is None:
        return None
    values = dict(row)
    levels = tuple(Level(*level) for level in codec.decode(values.pop("levels")))
    return _item(values, levels)


async def lock_item(session: Session, sku: str) -> Item | None:
    """As `get_item`, and nobody else changes the item or its levels until the transaction ends."""
    row = await session.fetch_one(LOCK_ITEM, sku)
    if row is None:
        return None
    levels = tuple(Level(*level) for level in await session.fetch(LOCK_LEVELS, sku))
    return _item(dict(row), levels)


async def insert_item(session: Session, sku: str, fields: Mapping[str, Any]) -> bool:
    """False where the sku is taken.

    Raises:
        UnknownLocation: there is no such warehouse location.
    """
    with _known_location():
        return await session.fetch_one(INSERT_ITEM, sku, *_columns(fields)) is not None


async def update_item(session: Session, sku: str, fields: Mapping[str, Any]) -> None:
    """Write every column, and the next version.

    Raises:
        UnknownLocation: there is no such warehouse location.
    """
    with _known_location():
        await session.execute(UPDATE_ITEM, sku, *_columns(fields))


async def ensure_level(session: Session, sku: str, location: str) -> None:
    """Make the level with nothing on hand, where there is none."""
    await session.execute(ENSURE_LEVEL, sku, location)


async def move_on_hand(
    session: Session, sku: str, location: str, delta: int, *, kind: str, reason: str, provenance: Provenance
) -> None:
    """Change what is on hand and write the movement, in one statement."""
    await session.execute(
        MOVE_ON_HAND,
        sku,
        location,
        delta,
        uuid7(),
        kind,
        reason,
        provenance.actor,
        provenance.request_id,
        provenance.trace_id,
    )


@contextmanager
def _known_location() -> Iterator[None]:
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        detail = Detail(("body", "warehouse_location"), "unknown_location", "There is no such location.")
        raise UnknownLocation(details=[detail]) from error


def _columns(fields: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        fields["name"],
        fields["warehouse_location"],
        fields["is_discontinued"],
        fields["low_stock_threshold"],
        codec.encode(fields["attributes"]),
    )


def _item(values: dict[str, Any], levels: tuple[Level, ...]) -> Item:
    return Item(**{**values, "attributes": codec.decode(values["attributes"])}, levels=levels)
