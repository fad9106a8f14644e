"""Whether the event loop turns, and how late it does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inventory_api.telemetry.metrics import Metrics

BEAT_SECONDS = 0.25


@asynccontextmanager
async def watched(metrics: Metrics) -> AsyncIterator[None]:
    """Measure until left: a beat that comes late was kept waiting by whatever ran on the loop meanwhile."""
    task = asyncio.create_task(_beat(metrics), name="event-loop")
    try:
        yield
    finally:
        task.cancel()


async def _beat(metrics: Metrics) -> None:
    while True:
        metrics.server_worker_heartbeat.set_to_current_time()
        started = time.perf_counter()
        await asyncio.sleep(BEAT_SECONDS)
        metrics.event_loop_lag.observe(max(time.perf_counter() - started - BEAT_SECONDS, 0.0))
