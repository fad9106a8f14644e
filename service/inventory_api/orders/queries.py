"""The SQL of orders. Who changes one and levels has taken the turns of their items before its row."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from inventory_api import codec
from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.orders.model import Order, Status
from inventory_api.stock.model import Allocation

COLUMNS = """
           id, external_ref, status, reservation_id, created_at, updated_at,
           (SELECT jsonb_agg(jsonb_build_array(l.sku, l.location, l.quantity) ORDER BY l.number)
            FROM sales_order_line l WHERE l.order_id = sales_order.id) AS lines"""

GET = Statement("orders.get", f"SELECT {COLUMNS} FROM sales_order WHERE id = $1")  # noqa: S608 -- a constant

INSERT = Statement(
    "orders.insert",
    """
    INSERT INTO sales_order (id, external_ref, reservation_id, created_at, updated_at)
    SELECT $1, $2, $3, moment, moment FROM clock_timestamp() AS moment
    ON CONFLICT (external_ref) DO NOTHING
    RETURNING created_at
    """,
)

INSERT_LINES = Statement(
    "orders.insert_lines",
    """
    INSERT INTO sales_order_line (order_id, number, sku, location, quantity)
    SELECT *
    FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::integer[])
    """,
)

# Of two that come at once, the second finds it changed.
CHANGE = Statement(
    "orders.change",
    """
    UPDATE sales_order SET status = $3, updated_at = clock_timestamp() WHERE id = $1 AND status = $2
    RETURNING updated_at
    """,
)

PAGE = Listing(
    "orders.page",
    f"""
    SELECT {COLUMNS}
    FROM sales_order
    {{where}}
    ORDER BY created_at DESC, id DESC
    LIMIT {{limit}}
    """,  # noqa: S608 -- a constant
    {"after": "(created_at, id) < ({}, {})", "status": "status = {}", "external_ref": "external_ref = {}"},
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Each narrows the list; None does not."""

    status: Status | None = None
    external_ref: str | None = None


async def get(session: Session, order_id: UUID) -> Order | None:
    row = await session.fetch_one(GET, order_id)
    return _order(row) if row is not None else None


async def insert(
    session: Session, order_id: UUID, external_ref: str | None, reservation_id: UUID | None
) -> datetime | None:
    """When it was made, without its lines; None where there is one with this external_ref."""
    row = await session.fetch_one(INSERT, order_id, external_ref, reservation_id)
    return row["created_at"] if row is not None else None


async def insert_lines(session: Session, order_id: UUID, lines: Sequence[Allocation]) -> None:
    """Before the transaction that made the order ends."""
    rows = [(order_id, number, line.sku, line.location, line.quantity) for number, line in enumerate(lines, 1)]
    await session.write(INSERT_LINES, *rows)


async def change(session: Session, order: Order, status: Status) -> datetime | None:
    """When it became that; None where it is not any more what the caller has seen."""
    row = await session.fetch_one(CHANGE, order.id, order.status, status)
    return row["updated_at"] if row is not None else None


async def page(
    session: Session, filters: Filters, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Order]:
    """Newest first."""
    statement, arguments = PAGE.page(given(after, **asdict(filters)), limit)
    return [_order(row) for row in await session.fetch(statement, *arguments)]


def _order(row: asyncpg.Record) -> Order:
    lines = tuple(Allocation(*line) for line in codec.decode(row["lines"]))
    return Order(**{**row, "lines": lines})
