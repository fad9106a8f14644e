"""Metrics are told whatever else the process waits for."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from inventory_api.server.metrics_gathering import MetricsGatherer
from inventory_api.server.slot import Slot
from inventory_api.telemetry.metrics import Metrics


async def test_metrics_are_told_while_the_common_threads_hang() -> None:
    """As those do in which names are looked up, while no name server answers."""
    released = threading.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    hung = asyncio.create_task(asyncio.to_thread(released.wait))
    gatherer = MetricsGatherer(Metrics(), Slot())
    try:
        async with gatherer.opened(), asyncio.timeout(5):
            content, _ = await gatherer.render("")
    finally:
        released.set()
        await hung
    assert b'server_worker_up{server_worker="0"} 1.0' in content
