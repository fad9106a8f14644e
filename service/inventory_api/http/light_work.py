"""Work behind a response that may be lost: bounded in time, counted, and nobody's error but the log's.

What must not be lost is a job in the queue.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from prometheus_client import Counter

from inventory_api.errors import DependencyUnavailable

logger = logging.getLogger(__name__)

SECONDS = 2.0


async def light_work(task: str, work: Callable[[], Awaitable[None]], results: Counter) -> None:
    """Do it; a task of `BackgroundTasks`. Never raises but when it is cancelled."""
    try:
        async with asyncio.timeout(SECONDS):
            await work()
    except TimeoutError:
        result = "timeout"
        logger.warning("%s was given up after %s s", task, SECONDS)
    except DependencyUnavailable as error:
        result = "unavailable"
        logger.warning("%s was not done: %s", task, error.message)
    except Exception:
        result = "error"
        logger.exception("%s failed", task)
    else:
        result = "done"
    results.labels(task=task, result=result).inc()
