"""PgQueuer's statements, where what it does with their outcome would lose a job, or time."""

import logging
from datetime import timedelta

from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import JOB_STATUS

from inventory_api.jobs.driver import PollingDriver

logger = logging.getLogger(__name__)


class Repository(Queries):
    """A job of which cannot be told that it is to be started again stays with this worker, whose silence tells it.

    Where jobs have made room for others, these are taken at once: PgQueuer would look only ten times a second.
    """

    def __init__(self, driver: PollingDriver) -> None:
        super().__init__(driver)
        self._driver = driver

    async def log_jobs(self, job_status: list[tuple[Job, JOB_STATUS, TracebackRecord | None]]) -> None:
        await super().log_jobs(job_status)
        self._driver.look_again()

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        try:
            await super().retry_job(job, delay, traceback_record)
        except Exception:
            # PgQueuer would make it a dead letter, for a fault that is not the job's.
            logger.warning("job %d is started again when its heartbeat is missed", job.id, exc_info=True)
        self._driver.look_again()
