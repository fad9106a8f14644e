"""A queue worker in this process, on a real database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from inventory_api.audit import Provenance
from inventory_api.database.pool import Database
from inventory_api.jobs.handlers import Work
from inventory_api.jobs.model import Entrypoint, Job
from inventory_api.jobs.queue import enqueue
from inventory_api.jobs.worker import QueueWorker
from inventory_api.telemetry.metrics import Metrics
from tests.support.waiting import eventually

HEARTBEAT_SECONDS = 2.0
BY_THE_TEST = Provenance("key:test", "request-1", None)
# As of the service, and quicker.
QUICK = Entrypoint("event", max_starts=3, seconds=20, first_delay_seconds=0.05)


@asynccontextmanager
async def database(
    url: str, metrics: Metrics | None = None, tracer: trace.Tracer | None = None
) -> AsyncIterator[Database]:
    opened = Database(
        lambda: url,
        size=8,
        acquire_timeout=2,
        metrics=metrics or Metrics(),
        tracer=tracer or TracerProvider(shutdown_on_exit=False).get_tracer("tests"),
    )
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


async def add(url: str, *payloads: Mapping[str, Any], entrypoint: Entrypoint = QUICK, dedupe_key: str = "") -> None:
    """Jobs, all in one transaction."""
    async with database(url) as opened, opened.session() as session, session.transaction():
        for payload in payloads:
            await enqueue(session, Job(entrypoint, BY_THE_TEST, payload, dedupe_key or None))


async def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Await that it is true."""

    async def look() -> object:
        return condition()

    await eventually(look, seconds)


@dataclass
class Running:
    """A worker; `metrics` are its own."""

    worker: QueueWorker
    metrics: Metrics
    task: asyncio.Task[None] = field(init=False)

    def outcome(self, name: str) -> float:
        value = self.metrics.registry.get_sample_value("jobs_total", {"entrypoint": QUICK.name, "outcome": name})
        return value or 0.0

    async def stop(self) -> None:
        self.worker.stop()
        await asyncio.wait_for(self.task, 20)


@asynccontextmanager
async def working(
    url: str,
    handler: Callable[[Work], Awaitable[None]],
    entrypoint: Entrypoint = QUICK,
    concurrency: int = 4,
    schedules: Mapping[Entrypoint, str] | None = None,
    tracer: trace.Tracer | None = None,
) -> AsyncIterator[Running]:
    """A worker that does jobs of one kind, until left."""
    metrics = Metrics()
    async with database(url, metrics, tracer) as opened:
        worker = QueueWorker(
            lambda: url,
            opened,
            {entrypoint.name: handler},
            metrics,
            concurrency=concurrency,
            heartbeat_seconds=HEARTBEAT_SECONDS,
            entrypoints={entrypoint.name: entrypoint},
            schedules=schedules or {},
        )
        running = Running(worker, metrics)
        running.task = asyncio.create_task(worker.run())
        try:
            yield running
        finally:
            worker.stop()
            worker.hand_back()
            await asyncio.wait_for(running.task, 20)
