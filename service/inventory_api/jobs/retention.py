"""What the queue keeps of jobs that are done, and for how long."""

from inventory_api.database.session import Session
from inventory_api.database.statement import Statement

# Of each transaction, so that it is short.
ROWS = 5_000

PURGE_LOG = Statement(
    "jobs.purge_log",
    """
    DELETE FROM pgqueuer_log
    WHERE id IN (SELECT id
                 FROM pgqueuer_log
                 WHERE created < statement_timestamp() - $1 * interval '1 day'
                   AND job_id NOT IN (SELECT id FROM pgqueuer WHERE status = 'failed')
                 ORDER BY created
                 LIMIT $2)
    """,
)


async def purge_log(session: Session, days: int) -> int:
    """Remove rows that are older, but for those that say what a dead letter failed of; how many, at most `ROWS`."""
    return await session.execute(PURGE_LOG, days, ROWS)
