"""PgQueuer's statements, where what it does with their outcome would lose a job, or time."""

import logging
from datetime import timedelta

from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import JOB_STATUS

from inventory_api.jobs.driver import PollingDriver

logger = logging.getLogger(__name__)

# As PgQueuer's own, and with the ids of the request: of a job that is done nothing else is left.
LOG = """
WITH came AS (
    SELECT * FROM unnest($1::bigint[], $2::pgqueuer_status[], $3::jsonb[]) AS came (id, status, traceback)
), removed AS (
    DELETE FROM pgqueuer
    WHERE id IN (SELECT id FROM came WHERE status <> 'failed')
    RETURNING id, entrypoint, priority, headers
), held AS (
    UPDATE pgqueuer
    SET status = 'failed', updated = now(), queue_manager_id = NULL
    WHERE id IN (SELECT id FROM came WHERE status = 'failed')
    RETURNING id, entrypoint, priority, headers
)
INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority, traceback, request_id, trace_id)
SELECT id, came.status, entrypoint, priority, traceback, headers ->> 'request_id', headers ->> 'trace_id'
FROM (SELECT * FROM removed UNION ALL SELECT * FROM held) AS ended
JOIN came USING (id)
"""


class Repository(Queries):
    """A job of which cannot be told that it is to be started again stays with this worker, whose silence tells it.

    Where jobs have made room for others, these are taken at once: PgQueuer would look only ten times a second.
    """

    def __init__(self, driver: PollingDriver) -> None:
        super().__init__(driver)
        self._driver = driver

    async def log_jobs(self, job_status: list[tuple[Job, JOB_STATUS, TracebackRecord | None]]) -> None:
        await self._driver.execute(
            LOG,
            [job.id for job, _, _ in job_status],
            [status for _, status, _ in job_status],
            [traceback.model_dump_json() if traceback else None for _, _, traceback in job_status],
        )
        self._driver.look_again()

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        try:
            await super().retry_job(job, delay, traceback_record)
        except Exception:
            # PgQueuer would make it a dead letter, for a fault that is not the job's.
            logger.warning("job %d is started again when its heartbeat is missed", job.id, exc_info=True)
        self._driver.look_again()
