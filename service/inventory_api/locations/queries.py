"""The SQL of locations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg

from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.locations.model import Location

GET = Statement(
    "locations.get",
    "SELECT code, name, active, version, created_at, updated_at FROM location WHERE code = $1",
)

LOCK = Statement(
    "locations.lock",
    "SELECT code, name, active, version, created_at, updated_at FROM location WHERE code = $1 FOR NO KEY UPDATE",
)

PAGE = Listing(
    "locations.page",
    """
    SELECT code, name, active, version, created_at, updated_at
    FROM location
    {where}
    ORDER BY created_at DESC, code DESC
    LIMIT {limit}
    """,
    {"after": "(created_at, code) < ({}, {})"},
)

INSERT = Statement(
    "locations.insert",
    """
    INSERT INTO location (code, name, active, created_at, updated_at)
    SELECT $1, $2, $3, moment, moment FROM clock_timestamp() AS moment
    ON CONFLICT (code) DO NOTHING
    RETURNING code, name, active, version, created_at, updated_at
    """,
)

UPDATE = Statement(
    "locations.update",
    """
    UPDATE location
    SET name = $2, active = $3, version = version + 1, updated_at = clock_timestamp()
    WHERE code = $1
    RETURNING code, name, active, version, created_at, updated_at
    """,
)


async def get(session: Session, code: str) -> Location | None:
    return _location(await session.fetch_one(GET, code))


async def lock(session: Session, code: str) -> Location | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return _location(await session.fetch_one(LOCK, code))


async def page(session: Session, after: tuple[datetime | None, str | None], limit: int) -> list[Location]:
    """Newest first."""
    statement, arguments = PAGE.page(given(after), limit)
    return [Location(**row) for row in await session.fetch(statement, *arguments)]


async def insert(session: Session, fields: Mapping[str, Any]) -> Location | None:
    """None where there is one with this code."""
    return _location(await session.fetch_one(INSERT, fields["code"], fields["name"], fields["active"]))


async def update(session: Session, code: str, fields: Mapping[str, Any]) -> Location | None:
    return _location(await session.fetch_one(UPDATE, code, fields["name"], fields["active"]))


def _location(row: asyncpg.Record | None) -> Location | None:
    return Location(**row) if row is not None else None
