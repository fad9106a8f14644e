"""Rows of a database, seen from outside of the service."""

import asyncio
from typing import Any

import asyncpg


def fetch(url: str, sql: str, *arguments: object) -> list[Any]:
    """On a connection of its own; not from within an event loop."""
    return asyncio.run(_fetch(url, sql, arguments))


async def _fetch(url: str, sql: str, arguments: tuple[object, ...]) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql, *arguments))
    finally:
        await connection.close()
