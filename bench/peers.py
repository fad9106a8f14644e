"""What the service is set against: FastAPI and asyncpg as their documentation shows them, running the same SQL.

No authentication, no request id, no metrics, no traces, no time-outs, no overload limit, no error contract. The
statements are the service's own, so that they cannot drift apart. `BENCH_POOL=service` lets the same handlers run on
the service's pool, to tell what that costs or gains from what the rest does.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Protocol

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from opentelemetry import trace
from pydantic import BaseModel
from uuid_utils.compat import uuid7

from inventory_api import audit, codec
from inventory_api.database.pool import Database
from inventory_api.database.statement import Statement
from inventory_api.http.idempotency import records
from inventory_api.inventory import queries as items
from inventory_api.stock import queries as stock
from inventory_api.telemetry.metrics import Metrics

POOL_SIZE = 8


class Connection(Protocol):
    """What the handlers need of a connection, whoever lends it."""

    async def fetch(self, statement: Statement, *arguments: object) -> list[asyncpg.Record]: ...
    async def fetch_one(self, statement: Statement, *arguments: object) -> asyncpg.Record | None: ...
    async def execute(self, statement: Statement, *arguments: object) -> None: ...
    def transaction(self) -> AbstractAsyncContextManager[Any]: ...


class Plain:
    """An asyncpg connection as it is."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        self._connection = connection

    async def fetch(self, statement: Statement, *arguments: object) -> list[asyncpg.Record]:
        return await self._connection.fetch(statement.sql, *arguments)

    async def fetch_one(self, statement: Statement, *arguments: object) -> asyncpg.Record | None:
        return await self._connection.fetchrow(statement.sql, *arguments)

    async def execute(self, statement: Statement, *arguments: object) -> None:
        await self._connection.execute(statement.sql, *arguments)

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        return self._connection.transaction()


class Level(BaseModel):
    location: str
    on_hand: int
    reserved: int
    available: int


class Item(BaseModel):
    sku: str
    name: str
    quantity: int
    reserved: int
    available: int
    warehouse_location: str
    is_discontinued: bool
    low_stock_threshold: int | None
    attributes: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    levels: list[Level]


class ItemPatch(BaseModel):
    name: str | None = None
    warehouse_location: str | None = None
    is_discontinued: bool | None = None
    low_stock_threshold: int | None = None
    attributes: dict[str, Any] | None = None


class Line(BaseModel):
    sku: str
    delta: int
    reason: str
    location: str | None = None
    reference: str | None = None


class Adjustments(BaseModel):
    lines: list[Line]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    dsn = os.environ["BENCH_DATABASE_URL"]
    if os.environ.get("BENCH_POOL") == "service":
        tracer = trace.NoOpTracerProvider().get_tracer("bench")
        # It waits as long as the plain one does.
        database = Database(lambda: dsn, size=POOL_SIZE, acquire_timeout=60, metrics=Metrics(), tracer=tracer)
        await database.open()
        app.state.connection = database.session
        yield
        await database.close()
    else:
        async with asyncpg.create_pool(dsn, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:

            @asynccontextmanager
            async def plain() -> AsyncIterator[Plain]:
                async with pool.acquire() as connection:
                    yield Plain(connection)

            app.state.connection = plain
            yield


async def connection(request: Request) -> AsyncIterator[Connection]:
    async with request.app.state.connection() as borrowed:
        yield borrowed


Borrowed = Annotated[Connection, Depends(connection)]
app = FastAPI(lifespan=lifespan)


def view(row: asyncpg.Record, levels: list[tuple[str, int, int]]) -> Item:
    quantity, reserved = sum(level[1] for level in levels), sum(level[2] for level in levels)
    return Item(
        sku=row["sku"],
        name=row["name"],
        quantity=quantity,
        reserved=reserved,
        available=quantity - reserved,
        warehouse_location=row["warehouse_location"],
        is_discontinued=row["is_discontinued"],
        low_stock_threshold=row["low_stock_threshold"],
        attributes=codec.decode(row["attributes"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        levels=[
            Level(location=location, on_hand=on_hand, reserved=held, available=on_hand - held)
            for location, on_hand, held in levels
        ],
    )


@app.get("/inventory/{sku}")
async def get_item(sku: str, database: Borrowed) -> Item:
    row = await database.fetch_one(items.GET_ITEM, sku)
    if row is None:
        raise HTTPException(404)
    return view(row, [tuple(level[:3]) for level in codec.decode(row["levels"])])


@app.patch("/inventory/{sku}")
async def patch_item(sku: str, patch: ItemPatch, database: Borrowed) -> Item:
    async with database.transaction():
        row = await database.fetch_one(items.LOCK_ITEM, sku)
        if row is None:
            raise HTTPException(404)
        levels = await database.fetch(stock.LOCK_LEVELS_OF_ITEM, sku)
        changes = patch.model_dump(exclude_unset=True)
        before = {**row, "attributes": codec.decode(row["attributes"])}
        fields = {**before, **changes}
        row = await database.fetch_one(
            items.UPDATE_ITEM,
            sku,
            fields["name"],
            fields["warehouse_location"],
            fields["is_discontinued"],
            fields["low_stock_threshold"],
            codec.encode(fields["attributes"]),
        )
        audited = {name: {"before": before[name], "after": value} for name, value in changes.items()}
        await write_audit(database, f"item:{sku}", "patch", audited)
    assert row is not None
    return view(row, [(level["location"], level["on_hand"], level["reserved"]) for level in levels])


@app.post("/inventory/adjustments", status_code=201)
async def adjust(
    adjustments: Adjustments, database: Borrowed, idempotency_key: Annotated[str, Header()]
) -> dict[str, list[Any]]:
    lines = adjustments.lines
    async with database.transaction():
        await database.fetch_one(records.CLAIM, "bench", idempotency_key)
        levels = await database.fetch(stock.LOCK, [line.sku for line in lines], [line.location for line in lines])
        for line, level in zip(lines, levels, strict=True):
            if level["on_hand"] is None or level["on_hand"] + line.delta < level["reserved"]:
                raise HTTPException(409)
        reached = [level["on_hand"] + line.delta for line, level in zip(lines, levels, strict=True)]
        rows = await database.fetch(
            stock.MOVE,
            [uuid7() for _ in lines],
            [line.sku for line in lines],
            [level["location"] for level in levels],
            ["adjustment" for _ in lines],
            [line.delta for line in lines],
            [0 for _ in lines],
            reached,
            [level["reserved"] for level in levels],
            [line.reason for line in lines],
            [line.reference for line in lines],
            "bench",
            str(uuid7()),
            None,
        )
        for line, level, after in zip(lines, levels, reached, strict=True):
            field = f"levels.{level['location']}.on_hand"
            audited = {field: {"before": level["on_hand"], "after": after}}
            await write_audit(database, f"item:{line.sku}", "adjust", audited)
        answer = {"movements": [dict(row) for row in rows]}
        await database.fetch_one(records.INSERT, "bench", idempotency_key, b"", 201, "{}", None)
    return answer


async def write_audit(database: Connection, resource: str, action: str, changes: dict[str, Any]) -> None:
    await database.execute(
        audit.INSERT, [uuid7()], [resource], [action], [codec.encode(changes)], ["bench"], [str(uuid7())], [None]
    )
