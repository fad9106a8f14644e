"""Waiting for a condition; the only place in the tests that sleeps."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 30.0


async def eventually(condition: Callable[[], Awaitable[T]], patience: float = PATIENCE_SECONDS) -> T:
    """The first true value of the condition."""
    deadline = time.monotonic() + patience
    while not (value := await condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(POLL_SECONDS)
    return value


def wait_until(condition: Callable[[], T], patience: float = PATIENCE_SECONDS) -> T:
    """As `eventually`, without an event loop."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(POLL_SECONDS)
    return value
