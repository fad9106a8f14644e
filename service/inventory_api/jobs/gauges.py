"""How much waits in the queue, measured by each queue worker."""

import asyncio
import logging

from inventory_api.database.pool import Database
from inventory_api.database.statement import Statement
from inventory_api.telemetry.metrics import JOB_ENTRYPOINTS, Metrics

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 5.0

# Of dead letters the age is none.
WAITING = Statement(
    "jobs.waiting",
    """
    SELECT entrypoint, status = 'failed' AS is_dead, count(*) AS jobs,
           extract(epoch FROM statement_timestamp() - min(execute_after))::float8 AS age_seconds
    FROM pgqueuer
    WHERE status = 'failed' OR (status = 'queued' AND execute_after <= statement_timestamp())
    GROUP BY entrypoint, is_dead
    """,
)


async def measure(database: Database, metrics: Metrics) -> None:
    """Again and again, until cancelled; while the database is gone, the gauges stay as they are."""
    while True:
        try:
            await _measure(database, metrics)
        except Exception as error:
            logger.warning("the queue was not measured: %s", str(error) or type(error).__name__)
        await asyncio.sleep(INTERVAL_SECONDS)


async def _measure(database: Database, metrics: Metrics) -> None:
    async with database.session() as session:
        rows = await session.fetch(WAITING)
    waiting = {row["entrypoint"]: row for row in rows if not row["is_dead"]}
    dead = {row["entrypoint"]: row for row in rows if row["is_dead"]}
    for name in JOB_ENTRYPOINTS:
        row = waiting.get(name)
        metrics.jobs_pending.labels(entrypoint=name).set(row["jobs"] if row else 0)
        metrics.jobs_oldest_age.labels(entrypoint=name).set(row["age_seconds"] if row else 0)
        metrics.jobs_dead_letters.labels(entrypoint=name).set(dead[name]["jobs"] if name in dead else 0)
