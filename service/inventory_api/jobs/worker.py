"""Takes jobs from the queue and has them done, until it is told to stop; a database that is gone is waited for."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

import asyncpg
from pgqueuer.core.executors import EntrypointExecutorParameters
from pgqueuer.core.qm import QueueManager
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.domain.models import Schedule
from uuid_utils.compat import uuid7

from inventory_api.audit import Provenance
from inventory_api.database import pool
from inventory_api.database.pool import Database
from inventory_api.jobs.driver import PollingDriver
from inventory_api.jobs.execution import Execution
from inventory_api.jobs.handlers import Handler
from inventory_api.jobs.model import ENTRYPOINTS, SCHEDULES, Entrypoint, Job
from inventory_api.jobs.queue import enqueue
from inventory_api.jobs.repository import Repository
from inventory_api.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

# Nobody is told of a new job: the trigger that would tell makes transactions wait for each other.
POLL = timedelta(seconds=0.5)
PAUSE_SECONDS = 1.0
# One takes jobs, one writes what became of them.
QUEUE_CONNECTIONS = 2
# Beyond the drain's time: for jobs to be handed back, and for what became of the others to be written.
HAND_BACK_SECONDS = 3.0
SCHEDULER = "system:schedule"
CONNECTION_SETTINGS = {"application_name": "inventory-api-worker", "timezone": "UTC", "statement_timeout": "10000"}


class QueueWorker:
    """`await run()`; `stop()` lets what is being done come to its end for so long, and hands back the rest."""

    def __init__(
        self,
        dsn: Callable[[], str],
        database: Database,
        handlers: Mapping[str, Handler],
        metrics: Metrics,
        *,
        concurrency: int,
        heartbeat_seconds: float,
        entrypoints: Mapping[str, Entrypoint] = ENTRYPOINTS,
        schedules: Mapping[Entrypoint, str] = SCHEDULES,
    ) -> None:
        self._dsn = dsn
        self._database = database
        self._handlers = handlers
        self._metrics = metrics
        metrics.connections_max.labels(pool="queue").set(QUEUE_CONNECTIONS)
        self._concurrency = concurrency
        self._heartbeat = timedelta(seconds=heartbeat_seconds)
        self._entrypoints = entrypoints
        self._schedules = schedules
        self._stopping = asyncio.Event()
        self._ending = asyncio.Event()
        self._managers: list[QueueManager | SchedulerManager] = []

    async def run(self) -> None:
        """Until stopped; begins again whenever the database was gone."""
        while not self._stopping.is_set():
            try:
                await self._run_once()
            except Exception as error:
                self._metrics.queue_failures.inc()
                logger.warning("the queue cannot be reached: %s", str(error) or type(error).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), PAUSE_SECONDS)

    def stop(self) -> None:
        """Take no more jobs."""
        self._stopping.set()
        for manager in self._managers:
            manager.shutdown.set()

    def hand_back(self) -> None:
        """What is still being done is for other workers to do."""
        self._ending.set()

    async def _run_once(self) -> None:
        connections = await asyncpg.create_pool(min_size=0, max_size=QUEUE_CONNECTIONS, connect=self._connect)
        try:
            repository = Repository(PollingDriver(connections))
            queue, scheduler = self._queue_manager(repository), self._scheduler(repository)
            self._managers = [queue, scheduler]
            if self._stopping.is_set():
                return
            running = [
                asyncio.create_task(scheduler.run(), name="schedules"),
                asyncio.create_task(
                    queue.run(
                        dequeue_timeout=POLL,
                        batch_size=max(1, self._concurrency // 2),
                        max_concurrent_tasks=self._concurrency,
                        heartbeat_timeout=self._heartbeat,
                        log_aggregation_interval=timedelta(0),
                    ),
                    name="queue",
                ),
            ]
            try:
                await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
            finally:
                for manager in self._managers:
                    manager.shutdown.set()
                # Never cancelled: PgQueuer would remove the jobs that are being done.
                results = await asyncio.gather(*running, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result
        finally:
            self._managers = []
            with suppress(TimeoutError):
                await asyncio.wait_for(connections.close(), pool.CLOSE_TIMEOUT)
            connections.terminate()

    def _queue_manager(self, repository: Repository) -> QueueManager:
        manager = QueueManager(repository)
        for name, handler in self._handlers.items():
            entrypoint = self._entrypoints[name]
            parameters = EntrypointExecutorParameters(
                concurrency_limit=entrypoint.at_once, func=_by_execution, on_failure="hold"
            )
            execution = Execution(parameters, entrypoint, handler, self._database, self._metrics, self._ending)
            manager.register_executor(name, execution)
        return manager

    def _scheduler(self, repository: Repository) -> SchedulerManager:
        """Whoever of all workers is first writes the job, and none where one is waiting or being done."""
        scheduler = SchedulerManager(repository)
        for entrypoint, expression in self._schedules.items():
            scheduler.schedule(entrypoint.name, expression)(self._enqueue)
        return scheduler

    async def _enqueue(self, schedule: Schedule) -> None:
        entrypoint = self._entrypoints[schedule.entrypoint]
        job = Job(entrypoint, Provenance(SCHEDULER, str(uuid7())), dedupe_key=f"schedule:{entrypoint.name}")
        async with self._database.session() as session:
            await enqueue(session, job)

    async def _connect(self, *_: object, **__: object) -> asyncpg.Connection:
        return await pool.connect(self._dsn(), server_settings=CONNECTION_SETTINGS)


async def _by_execution(_: object) -> None:
    """What PgQueuer asks for beside an executor, and never calls."""
    raise AssertionError("unreachable")
