"""Lists read what they show and little more, however much there is of everything else."""

import asyncpg
from tests.support.filling import fill
from tests.support.plans import MOST_READ, explain, lists, rows_read, scans

from inventory_api.database.pool import connect

ITEMS, RARE_EACH = 20_000, 2_000


async def test_no_list_reads_more_than_it_has_to(database_url: str) -> None:
    filling = await asyncpg.connect(database_url)
    async for _ in fill(filling, ITEMS, RARE_EACH):
        pass
    await filling.close()
    connection = await connect(database_url)
    wrong = []
    for name, (listing, conditions) in lists(ITEMS).items():
        plan = await explain(connection, listing, conditions)
        if rows_read(plan) > MOST_READ or "Seq Scan" in scans(plan):
            wrong.append(f"{name}: {rows_read(plan)} rows by {scans(plan)}")
    await connection.close()
    assert not wrong
