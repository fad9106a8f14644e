"""The SQL of reservations.

Who changes a reservation locks its row before its lines; who also changes levels has taken the turns of their items
before that. Times are those of the statement: of two that come at once, each sees the other's result or its lock.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from inventory_api import codec
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.reservations.model import Reservation, Status
from inventory_api.stock.model import Allocation, Key

COLUMNS = """
           id, CASE WHEN status = 'active' AND expires_at <= statement_timestamp() THEN 'expired' ELSE status END
           AS status, expires_at, created_at, updated_at,
           (SELECT jsonb_agg(jsonb_build_array(l.sku, l.location, l.quantity) ORDER BY l.number)
            FROM reservation_line l WHERE l.reservation_id = reservation.id) AS lines"""

GET = Statement(
    "reservations.get",
    f"SELECT {COLUMNS} FROM reservation WHERE id = $1",  # noqa: S608 -- a constant
)

LOCK = Statement(
    "reservations.lock",
    f"SELECT {COLUMNS} FROM reservation WHERE id = $1 FOR NO KEY UPDATE",  # noqa: S608 -- a constant
)

INSERT = Statement(
    "reservations.insert",
    """
    INSERT INTO reservation (id, expires_at, created_at, updated_at)
    SELECT $1, moment + $2 * interval '1 second', moment, moment FROM clock_timestamp() AS moment
    RETURNING expires_at, created_at
    """,
)

INSERT_LINES = Statement(
    "reservations.insert_lines",
    """
    INSERT INTO reservation_line (reservation_id, expires_at, number, sku, location, quantity)
    SELECT *
    FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::text[], $5::text[], $6::integer[])
    """,
)

EXTEND = Statement(
    "reservations.extend",
    """
    WITH extended AS (
        UPDATE reservation
        SET expires_at = moment + $2 * interval '1 second', updated_at = moment
        FROM clock_timestamp() AS moment
        WHERE id = $1
        RETURNING id, reservation.expires_at, updated_at
    ), lines AS (
        UPDATE reservation_line
        SET expires_at = extended.expires_at
        FROM extended
        WHERE reservation_id = extended.id
    )
    SELECT expires_at, updated_at FROM extended
    """,
)

END = Statement(
    "reservations.end",
    """
    WITH ended AS (
        UPDATE reservation SET status = $2, updated_at = clock_timestamp() WHERE id = $1 RETURNING id, updated_at
    ), let_go AS (
        UPDATE reservation_line SET held = false FROM ended WHERE reservation_id = ended.id AND held
    )
    SELECT updated_at FROM ended
    """,
)

EXPIRED_LEVELS = Statement(
    "reservations.expired_levels",
    """
    SELECT sku, location
    FROM reservation_line
    WHERE held AND expires_at <= statement_timestamp()
    GROUP BY sku, location
    ORDER BY min(expires_at)
    LIMIT $1
    """,
)

# Those that became orders stay with them.
PURGE = Statement(
    "reservations.purge",
    """
    WITH old AS (
        SELECT id
        FROM reservation
        WHERE status IN ('released', 'expired') AND updated_at < statement_timestamp() - $1 * interval '1 day'
          AND NOT EXISTS (SELECT FROM reservation_line WHERE reservation_id = reservation.id AND held)
        ORDER BY updated_at
        LIMIT $2
    ), lines AS (
        DELETE FROM reservation_line USING old WHERE reservation_id = old.id
    )
    DELETE FROM reservation USING old WHERE reservation.id = old.id
    """,
)
# Of each transaction, so that it is short.
PURGED = 1_000


async def get(session: Session, reservation_id: UUID) -> Reservation | None:
    return _reservation(await session.fetch_one(GET, reservation_id))


async def lock(session: Session, reservation_id: UUID) -> Reservation | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return _reservation(await session.fetch_one(LOCK, reservation_id))


async def insert(session: Session, reservation_id: UUID, seconds: int) -> tuple[datetime, datetime]:
    """When it expires, and when it was made, without its lines."""
    row = await _one(session, INSERT, reservation_id, seconds)
    return row["expires_at"], row["created_at"]


async def insert_lines(
    session: Session, reservation_id: UUID, expires_at: datetime, lines: Sequence[Allocation]
) -> None:
    """Before the transaction that made the reservation ends."""
    rows = [
        (reservation_id, expires_at, number, line.sku, line.location, line.quantity)
        for number, line in enumerate(lines, 1)
    ]
    await session.write(INSERT_LINES, *rows)


async def extend(session: Session, reservation_id: UUID, seconds: int) -> tuple[datetime, datetime]:
    """When it expires now, and when that was said. The caller has locked it."""
    row = await _one(session, EXTEND, reservation_id, seconds)
    return row["expires_at"], row["updated_at"]


async def end(session: Session, reservation_id: UUID, status: Status) -> datetime:
    """It holds nothing any more; the caller has locked it. When that was."""
    moment: datetime = (await _one(session, END, reservation_id, status))["updated_at"]
    return moment


async def expired_levels(session: Session, limit: int) -> list[Key]:
    """So many of which expired lines still hold something, the longest expired first."""
    return [(row["sku"], row["location"]) for row in await session.fetch(EXPIRED_LEVELS, limit)]


async def purge(session: Session, days: int) -> int:
    """Remove what has held nothing for so long; how many, at most `PURGED`."""
    return await session.execute(PURGE, days, PURGED)


async def _one(session: Session, statement: Statement, *arguments: Any) -> asyncpg.Record:
    row = await session.fetch_one(statement, *arguments)
    if row is None:
        raise RuntimeError(f"{statement.name}: the reservation that was locked is gone")
    return row


def _reservation(row: asyncpg.Record | None) -> Reservation | None:
    if row is None:
        return None
    lines = tuple(Allocation(*line) for line in codec.decode(row["lines"]))
    return Reservation(**{**row, "lines": lines})
