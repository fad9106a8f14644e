"""Whether every level is the sum of its movements. Told, never repaired: nobody knows which of the two is right."""

import logging
from dataclasses import asdict, dataclass

from inventory_api.database import pool
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement

logger = logging.getLogger(__name__)

# As one snapshot, so that no change is seen half.
MISMATCHES = """
SELECT sku, location, coalesce(level.on_hand, 0) AS on_hand, coalesce(level.reserved, 0) AS reserved,
       coalesce(ledger.on_hand, 0) AS ledger_on_hand, coalesce(ledger.reserved, 0) AS ledger_reserved
FROM stock_level level
FULL JOIN (SELECT sku, location, sum(on_hand_delta)::bigint AS on_hand, sum(reserved_delta)::bigint AS reserved
           FROM stock_movement GROUP BY sku, location) AS ledger USING (sku, location)
WHERE (coalesce(level.on_hand, 0), coalesce(level.reserved, 0))
   <> (coalesce(ledger.on_hand, 0), coalesce(ledger.reserved, 0))
ORDER BY sku, location
"""


RECORD = Statement(
    "ledger.record",
    """
    INSERT INTO ledger_check (mismatches, checked_at) VALUES ($1, clock_timestamp())
    ON CONFLICT (is_the_only_one) DO UPDATE SET mismatches = excluded.mismatches, checked_at = excluded.checked_at
    """,
)

LAST = Statement(
    "ledger.last", "SELECT mismatches, extract(epoch FROM checked_at)::float8 AS checked_at FROM ledger_check"
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A level that is not what its movements add up to."""

    sku: str
    location: str
    on_hand: int
    reserved: int
    ledger_on_hand: int
    ledger_reserved: int


async def mismatches(dsn: str) -> list[Mismatch]:
    """Every one of them, each a line of the log. Reads all movements: some seconds for ten million.

    On a connection of its own, whose time-outs are of that transaction only: it may be a pooler's.
    """
    connection = await pool.connect(dsn, command_timeout=None)
    try:
        async with connection.transaction(readonly=True):
            await connection.execute("SET LOCAL statement_timeout = 0")
            found = [Mismatch(**row) for row in await connection.fetch(MISMATCHES)]
    finally:
        await connection.close(timeout=pool.CLOSE_TIMEOUT)
    for mismatch in found:
        logger.error("a level is not the sum of its movements", extra=asdict(mismatch))
    return found


async def record(session: Session, count: int) -> None:
    """Keep how many mismatches there were just now."""
    await session.execute(RECORD, count)


async def last(session: Session) -> tuple[int, float]:
    """How many there were at the last look, and when that was, in seconds since 1970; zeros where there was none."""
    row = await session.fetch_one(LAST)
    return (row["mismatches"], row["checked_at"]) if row is not None else (0, 0.0)
