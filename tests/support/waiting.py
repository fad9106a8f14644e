"""Waiting for a condition; the only place in the tests that sleeps."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.02
CLUSTER_POLL_SECONDS = 0.25
PATIENCE_SECONDS = 30.0


async def eventually(condition: Callable[[], Awaitable[T]], patience: float = PATIENCE_SECONDS) -> T:
    """The first true value of the condition."""
    deadline = time.monotonic() + patience
    while not (value := await condition()):
        assert time.monotonic() < deadline, f"not within {patience:g} s; last seen: {value!r}"
        await asyncio.sleep(POLL_SECONDS)
    return value


def wait_until(condition: Callable[[], T], patience: float = PATIENCE_SECONDS) -> T:
    """As `eventually`, without an event loop."""
    return _poll("the condition", condition, patience, POLL_SECONDS)


def await_claim(claim: str, condition: Callable[[], T | None], seconds: float = 90) -> T:
    """As `wait_until`, at the pace of a cluster; a failure names the claim."""
    value = _poll(claim, condition, seconds, CLUSTER_POLL_SECONDS)
    assert value is not None
    return value


def let_pass(seconds: float) -> None:
    """For a phase whose length is what is wanted, as of a load or a fault; there is no condition to wait for."""
    time.sleep(seconds)


def _poll(claim: str, condition: Callable[[], T], patience: float, interval: float) -> T:
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {patience:g} s: {claim}; last seen: {value!r}"
        time.sleep(interval)
    return value
