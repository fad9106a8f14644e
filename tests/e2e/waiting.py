"""The one place that waits: for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

INTERVAL_SECONDS = 0.25

T = TypeVar("T")


def eventually(claim: str, probe: Callable[[], T | None], seconds: float = 90) -> T:
    """Answer the first truthy value of the probe.

    Raises:
        AssertionError: the claim did not come true in time; it says what was seen last.
    """
    until = time.monotonic() + seconds
    while True:
        seen = probe()
        if seen:
            return seen
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds:g} s: {claim}; last seen: {seen!r}")
        time.sleep(INTERVAL_SECONDS)
