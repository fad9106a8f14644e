"""The SQL of items."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg

from inventory_api import codec
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.errors import Detail, UnknownLocation
from inventory_api.inventory.listing import COLUMNS, PAGE, Filters
from inventory_api.inventory.model import Item
from inventory_api.stock.model import Level

GET_ITEM = Statement(
    "inventory.get_item",
    f"""
    SELECT {COLUMNS}
    FROM item
    WHERE sku = $1
    """,  # noqa: S608 -- a constant
)

LOCK_ITEM = Statement(
    "inventory.lock_item",
    """
    WITH turn AS (
        SELECT pg_advisory_xact_lock(hashtext('item'), hashtext($1) & 1023)
    )
    SELECT sku, name, warehouse_location, is_discontinued, low_stock_threshold, attributes, version,
           created_at, updated_at
    FROM item
    WHERE sku = $1 AND (SELECT count(*) FROM turn) > 0
    FOR NO KEY UPDATE
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
    RETURNING sku, name, warehouse_location, is_discontinued, low_stock_threshold, attributes, version,
              created_at, updated_at
    """,
)


async def get_item(session: Session, sku: str) -> Item | None:
    """The item with its levels as one snapshot, or None."""
    row = await session.fetch_one(GET_ITEM, sku)
    return _with_levels(row) if row is not None else None


async def page(session: Session, filters: Filters, after: Sequence[str | None], limit: int) -> list[Item]:
    """By sku."""
    statement, arguments = PAGE.page(filters.conditions(after), limit)
    return [_with_levels(row) for row in await session.fetch(statement, *arguments)]


async def lock_item(session: Session, sku: str) -> Item | None:
    """The item without its levels, which nobody else changes until the transaction ends."""
    row = await session.fetch_one(LOCK_ITEM, sku)
    return _item(dict(row), ()) if row is not None else None


async def insert_item(session: Session, sku: str, fields: Mapping[str, Any]) -> bool:
    """False where the sku is taken.

    Raises:
        UnknownLocation: there is no such warehouse location.
    """
    with _known_location():
        return await session.fetch_one(INSERT_ITEM, sku, *_columns(fields)) is not None


async def update_item(session: Session, item: Item, fields: Mapping[str, Any]) -> Item:
    """Write every column, and the next version, of an item that the caller has locked; its levels stay.

    Raises:
        UnknownLocation: there is no such warehouse location.
    """
    with _known_location():
        row = await session.fetch_one(UPDATE_ITEM, item.sku, *_columns(fields))
    return _item(dict(row or {}), item.levels)


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


def _with_levels(row: asyncpg.Record) -> Item:
    values = dict(row)
    levels = tuple(Level(*level) for level in codec.decode(values.pop("levels")))
    return _item(values, levels)


def _item(values: dict[str, Any], levels: tuple[Level, ...]) -> Item:
    return Item(**{**values, "attributes": codec.decode(values["attributes"])}, levels=levels)
