"""One job, from its start to what becomes of it: done, to be started again, a dead letter, or handed back."""

import asyncio
import logging
import time
from contextlib import suppress

from opentelemetry import trace
from opentelemetry.propagate import extract
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Context, Job

from inventory_api import codec
from inventory_api.audit import Provenance
from inventory_api.database.pool import Database
from inventory_api.database.statement import Statement
from inventory_api.errors import DependencyUnavailable
from inventory_api.jobs.handlers import Handler, Work
from inventory_api.jobs.model import Entrypoint
from inventory_api.telemetry import request_context
from inventory_api.telemetry.metrics import Metrics
from inventory_api.telemetry.request_context import RequestContext

logger = logging.getLogger(__name__)

START = Statement("jobs.start", "UPDATE pgqueuer SET starts = starts + 1 WHERE id = $1 RETURNING starts")
HAND_BACK = Statement("jobs.hand_back", "UPDATE pgqueuer SET starts = starts - 1 WHERE id = $1")


class DeadLetter(Exception):
    """It is not started again until somebody replays it; the cause says why."""


class HandedBack(Exception):
    """The worker ends before the job does."""


class Execution(AbstractEntrypointExecutor):
    """Of all jobs of one kind, in one worker.

    A start is counted before anything is done, and committed: a job that ends its worker has been started as well, and
    comes to its last start like one that fails.
    """

    def __init__(
        self,
        parameters: EntrypointExecutorParameters,
        entrypoint: Entrypoint,
        handler: Handler,
        database: Database,
        metrics: Metrics,
        ending: asyncio.Event,
    ) -> None:
        super().__init__(parameters)
        self._entrypoint = entrypoint
        self._handler = handler
        self._database = database
        self._metrics = metrics
        self._ending = ending

    async def execute(self, job: Job, context: Context) -> None:
        """
        Raises:
            RetryRequested: it is to be started again, later.
            DeadLetter: it is not.
        """
        del context
        headers = job.headers or {}
        provenance = _provenance(headers)
        token = request_context.enter(RequestContext(provenance.request_id, provenance.trace_id, provenance.actor))
        started = time.perf_counter()
        outcome = "failed"
        try:
            with self._database.tracer.start_as_current_span(
                f"job {self._entrypoint.name}",
                context=extract(dict(job.header_section("otel") or {})),
                kind=trace.SpanKind.CONSUMER,
                attributes={"messaging.message.id": str(job.id), "app.request_id": provenance.request_id},
            ):
                outcome = await self._run(job, provenance)
        except RetryRequested as request:
            outcome = "handed_back" if isinstance(request.__cause__, HandedBack) else "retried"
            raise
        except DeadLetter:
            outcome = "dead"
            raise
        finally:
            self._metrics.jobs.labels(entrypoint=self._entrypoint.name, outcome=outcome).inc()
            self._metrics.job_duration.labels(entrypoint=self._entrypoint.name).observe(time.perf_counter() - started)
            request_context.leave(token)

    async def _run(self, job: Job, provenance: Provenance) -> str:
        starts = await self._start(job)
        if starts > self._entrypoint.max_starts:
            message = f"job {job.id} ({self._entrypoint.name}) has ended its worker at each of {starts - 1} starts"
            logger.error("%s; it is a dead letter", message)
            raise DeadLetter(message)
        try:
            work = Work(codec.decode((job.payload or b"{}").decode()), provenance)
        except ValueError as error:
            logger.error("job %d (%s) is a dead letter: its payload is not JSON", job.id, self._entrypoint.name)
            raise DeadLetter("its payload is not JSON") from error
        try:
            await self._handle(work)
        except HandedBack as error:
            await self._hand_back(job)
            logger.info("job %d (%s) is handed back, as this worker ends", job.id, self._entrypoint.name)
            raise RetryRequested(reason="the worker ended") from error
        except Exception as error:
            if starts >= self._entrypoint.max_starts:
                logger.exception("job %d (%s) is a dead letter", job.id, self._entrypoint.name)
                raise DeadLetter(f"{type(error).__name__}: {error}") from error
            delay = self._entrypoint.delay(starts)
            logger.warning(
                "job %d (%s) failed at start %d of %d and is started again in %.1f s",
                job.id, self._entrypoint.name, starts, self._entrypoint.max_starts, delay.total_seconds(),
                exc_info=error,
            )  # fmt: skip
            raise RetryRequested(delay, f"{type(error).__name__}: {error}") from error
        return "done"

    async def _handle(self, work: Work) -> None:
        """Within its time, and not longer than this worker lives.

        Raises:
            HandedBack: this worker ends.
        """
        handling = asyncio.create_task(self._bounded(work))
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait({handling, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not handling.done():
                raise HandedBack
            await handling
        finally:
            for task in (handling, ending):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _bounded(self, work: Work) -> None:
        async with asyncio.timeout(self._entrypoint.seconds):
            await self._handler(work)

    async def _start(self, job: Job) -> int:
        """
        Raises:
            RetryRequested: the database is not there, which is no fault of the job's.
        """
        try:
            async with self._database.session() as session:
                row = await session.fetch_one(START, job.id)
        except DependencyUnavailable as error:
            raise RetryRequested(self._entrypoint.delay(1), error.message) from error
        if row is None:
            raise DeadLetter(f"job {job.id} is there no more")
        return int(row["starts"])

    async def _hand_back(self, job: Job) -> None:
        """The start does not count; where that cannot be told, it does."""
        with suppress(Exception):
            async with self._database.session() as session:
                await session.execute(HAND_BACK, job.id)


def _provenance(headers: dict[str, object]) -> Provenance:
    trace_id = headers.get("trace_id")
    return Provenance(
        str(headers.get("actor", "system")),
        str(headers.get("request_id", "-")),
        str(trace_id) if trace_id is not None else None,
    )
