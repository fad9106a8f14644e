"""Rows of a database, seen from outside of the service."""

import asyncio
from typing import Any

import asyncpg

# Levels that are not the sum of their movements.
UNBALANCED = """
SELECT sku, location FROM stock_level
LEFT JOIN (SELECT sku, location, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved
           FROM stock_movement GROUP BY sku, location) AS ledger USING (sku, location)
WHERE stock_level.on_hand <> coalesce(ledger.on_hand, 0) OR stock_level.reserved <> coalesce(ledger.reserved, 0)
"""


async def execute(url: str, sql: str) -> None:
    """On a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def fetch(url: str, sql: str, *arguments: object) -> list[Any]:
    """On a connection of its own; not from within an event loop."""
    return asyncio.run(_fetch(url, sql, arguments))


async def _fetch(url: str, sql: str, arguments: tuple[object, ...]) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql, *arguments))
    finally:
        await connection.close()
