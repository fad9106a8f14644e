"""How much waits in the queue, how webhooks stand, and what the ledger was, measured by each queue worker."""

import asyncio
import logging

from inventory_api.database.pool import Database
from inventory_api.database.statement import Statement
from inventory_api.stock import ledger
from inventory_api.telemetry.metrics import OTHER_ENTRYPOINT, QUEUED_ENTRYPOINTS, Metrics
from inventory_api.webhooks import service as webhooks

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
    """Again and again, until cancelled; while it cannot, the gauges stay as they are, and it is told how old they are.

    An alert that went with what is not known would end just when the queue is too large to be counted.
    """
    metrics.queue_measured.set_to_current_time()
    while True:
        try:
            await take(database, metrics)
            metrics.queue_measured.set_to_current_time()
        except Exception as error:
            logger.warning("the queue was not measured: %s", str(error) or type(error).__name__)
        await asyncio.sleep(INTERVAL_SECONDS)


async def take(database: Database, metrics: Metrics) -> None:
    """Once."""
    async with database.session() as session:
        rows = await session.fetch(WAITING)
        mismatches, checked_at = await ledger.last(session)
        standing = await webhooks.standing(session)
    metrics.ledger_mismatches.set(mismatches)
    metrics.ledger_checked.set(checked_at)
    for state in ("enabled", "failing", "disabled"):
        metrics.webhook_endpoints.labels(state=state).set(standing[state])
    for endpoints in ("well", "unwell"):
        metrics.webhooks_pending.labels(endpoints=endpoints).set(standing[f"due_to_{endpoints}"])
    metrics.webhooks_oldest_age.set(standing["oldest_age"])
    for name in QUEUED_ENTRYPOINTS:
        of_it = [row for row in rows if _label(row["entrypoint"]) == name]
        waiting = [row for row in of_it if not row["is_dead"]]
        metrics.jobs_pending.labels(entrypoint=name).set(sum(row["jobs"] for row in waiting))
        metrics.jobs_oldest_age.labels(entrypoint=name).set(max((row["age_seconds"] for row in waiting), default=0))
        metrics.jobs_dead_letters.labels(entrypoint=name).set(sum(row["jobs"] for row in of_it if row["is_dead"]))


def _label(entrypoint: str) -> str:
    return entrypoint if entrypoint in QUEUED_ENTRYPOINTS else OTHER_ENTRYPOINT
