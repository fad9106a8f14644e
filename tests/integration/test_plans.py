"""Lists read what they show and little more, however much there is of everything else."""

import asyncpg
from tests.support.filling import fill
from tests.support.plans import (
    COMMON_ENDPOINT,
    MOST_READ,
    RARE_ENDPOINT,
    explain,
    explain_statement,
    lists,
    rows_read,
    scans,
)

from inventory_api.database.pool import connect
from inventory_api.webhooks import claims

ITEMS, RARE_EACH = 20_000, 2_000
# A few are due, of the many that wait to be tried again.
DUE = """
UPDATE webhook_delivery SET next_attempt_at = clock_timestamp() - interval '1 second'
WHERE id IN (SELECT id FROM webhook_delivery WHERE status = 'pending' ORDER BY created_at LIMIT 10)
"""
FEW_READ = 200


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
    for name, statement, arguments in (
        ("endpoints with something due", claims.LOCK_ENDPOINTS, (True, 64, claims.AT_ONCE)),
        ("what is due", claims.CHOOSE, ([COMMON_ENDPOINT, RARE_ENDPOINT], 64, claims.AT_ONCE)),
    ):
        await connection.execute(DUE)
        plan = await explain_statement(connection, statement, *arguments)
        if rows_read(plan) > FEW_READ or "Seq Scan webhook_delivery" in scans(plan):
            wrong.append(f"{name}: {rows_read(plan)} rows by {scans(plan)}")
    await connection.close()
    assert not wrong
