"""What the database has of one request is found by its id, however much there is of others."""

import asyncpg
import pytest
from tests.support.database import execute
from tests.support.filling import fill
from tests.support.plans import explain_statement, rows_read, scans

from inventory_api.database.statement import Statement
from inventory_api.trace import rows

LOGGED = """
INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, request_id)
SELECT number, 'successful', 0, 'event', 'request-' || number FROM generate_series(1, 10000) AS number
"""
OTHERS = 100


@pytest.mark.parametrize("sql", [rows.AUDIT, rows.MOVEMENTS, rows.JOBS, rows.DELIVERIES])
async def test_no_table_that_grows_is_read_as_a_whole(database_url: str, sql: str) -> None:
    connection = await asyncpg.connect(database_url)
    async for _ in fill(connection, 2_000, 200):
        pass
    await execute(database_url, f"{LOGGED}; ANALYZE")
    plan = await explain_statement(connection, Statement("trace.of_request", sql), "unknown", rows.MOST)
    await connection.close()
    assert rows_read(plan) < OTHERS
    assert [scan for scan in scans(plan) if "Seq Scan" in scan and scan != "Seq Scan pgqueuer"] == []
