"""PgQueuer's statements, where its answer to a database that is gone would lose a job."""

import logging
from datetime import timedelta

from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job, TracebackRecord

logger = logging.getLogger(__name__)


class Repository(Queries):
    """A job of which cannot be told that it is to be started again stays with this worker, whose silence tells it."""

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        try:
            await super().retry_job(job, delay, traceback_record)
        except Exception:
            # PgQueuer would make it a dead letter, for a fault that is not the job's.
            logger.warning("job %d is started again when its heartbeat is missed", job.id, exc_info=True)
