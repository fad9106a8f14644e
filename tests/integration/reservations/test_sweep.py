"""The sweep lets go of what expired reservations hold, and of nothing else."""

import asyncio

import asyncpg
from tests.support.database import execute
from tests.support.selling import EXPIRE, assert_accounted, level, line, order, reserve
from tests.support.service import Service
from tests.support.waiting import eventually

from inventory_api.audit import Provenance
from inventory_api.reservations import service as reservations

BY_THE_SWEEP = Provenance(reservations.SWEEPER, "sweep-1")


async def swept(service: Service) -> int:
    async with service.app.api.state.resources.database.session() as session:
        return await reservations.sweep(session, BY_THE_SWEEP)


async def test_it_lets_go_of_every_expired_line_and_of_no_other(service: Service, database_url: str) -> None:
    for sku in ("A-1", "B-2"):
        (await service.put(sku)).raise_for_status()
    expired = [(await reserve(service, line("A-1", 2), line("B-2", 1))).json()["id"] for _ in range(3)]
    await reserve(service, line("A-1", 1))
    await order(service, line("B-2", 2))
    for one in expired:
        await execute(database_url, EXPIRE.format(one))
    assert await swept(service) == 6
    assert await swept(service) == 0
    assert (await level(service, "A-1"), await level(service, "B-2")) == ((10, 1), (10, 2))
    statuses = {(await service.api.get(f"/reservations/{one}")).json()["status"] for one in expired}
    assert statuses == {"expired"}
    await assert_accounted(database_url)
    entries = (await service.api.get("/audit", params={"actor": reservations.SWEEPER})).json()["items"]
    assert len(entries) == 6, "of each reservation what it held of either item"


async def test_sweeps_at_once_and_sales_let_go_of_each_line_once(service: Service, database_url: str) -> None:
    (await service.put("A-1", quantity=100)).raise_for_status()
    for _ in range(20):
        held = (await reserve(service, line("A-1", 5))).json()
        await execute(database_url, EXPIRE.format(held["id"]))
    sweeps = asyncio.gather(*(swept(service) for _ in range(4)))
    sales = asyncio.gather(*(order(service, line("A-1", 10)) for _ in range(10)))
    counts, answers = await asyncio.gather(sweeps, sales)
    assert [answer.status_code for answer in answers] == [201] * 10
    assert sum(counts) <= 20
    assert await level(service, "A-1") == (100, 100)
    await assert_accounted(database_url)


async def test_an_item_that_is_busy_is_left_for_the_next_and_nobody_waits_for_it_at_another(
    service: Service, database_url: str
) -> None:
    skus = [f"A-{number}" for number in range(6)]
    for sku in skus:
        (await service.put(sku)).raise_for_status()
    held = (await reserve(service, *(line(sku, 10) for sku in skus))).json()
    await execute(database_url, EXPIRE.format(held["id"]))
    holder = await asyncpg.connect(database_url)
    await holder.execute("SELECT pg_advisory_lock(hashtext('item'), hashtext('A-3') & 1023)")
    sweep = asyncio.ensure_future(swept(service))
    await eventually(lambda: _is_waiting(holder))
    sold = await order(service, *(line(sku, 10) for sku in skus if sku != "A-3"))
    assert sold.status_code == 201
    assert not sweep.done()
    assert await sweep <= 5
    await holder.close()
    assert await swept(service) == 1
    assert await level(service, "A-3") == (10, 0)
    await assert_accounted(database_url)


async def _is_waiting(connection: asyncpg.Connection) -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return bool(await connection.fetchval(waiting))
