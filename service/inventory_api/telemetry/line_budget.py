"""Log lines that a flood of requests can cause: so many a second are written, the rest is counted and told once."""

import asyncio
import logging

LINES_PER_SECOND = 10


class LineBudget:
    """`what` completes the line that tells of those that were not written: `<count> more <what> within a second`."""

    def __init__(self, logger: logging.Logger, what: str) -> None:
        self._logger = logger
        self._what = what
        self._written = 0
        self._unwritten = 0
        self._timer: asyncio.TimerHandle | None = None

    def has_room(self) -> bool:
        """Whether one more line may be written now; else it is counted. Within an event loop."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(1, self._end_of_second)
        if self._written < LINES_PER_SECOND:
            self._written += 1
            return True
        self._unwritten += 1
        return False

    def _end_of_second(self) -> None:
        if self._unwritten:
            self._logger.warning("%d more %s within a second", self._unwritten, self._what)
        self._timer, self._written, self._unwritten = None, 0, 0
