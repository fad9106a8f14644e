"""Bounds how fast contents come in, so that what they cost leaves others their share of the process."""

import asyncio

# Of the pace: what has come after a while without any may come at once.
BURST_SECONDS = 1.0


class Pace:
    """So many bytes a second, of all that are on their way together. What is ahead of it waits, and is read no further.

    Each byte of a content costs time that other requests would have: without a bound, a few uploads by fast lines take
    all of a process, and everybody waits.
    """

    def __init__(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second
        self._paid_until = float("-inf")

    async def spend(self, count: int) -> None:
        """Wait until so many bytes are within the pace, behind those that were spent before."""
        now = asyncio.get_running_loop().time()
        self._paid_until = max(self._paid_until, now - BURST_SECONDS) + count / self._bytes_per_second
        if self._paid_until > now:
            await asyncio.sleep(self._paid_until - now)
