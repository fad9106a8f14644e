"""A timer that is set and cleared with every request, for the price of an assignment."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls what it was last set to, unless it was cleared; one at a time.

    The event loop's timer goes on when the alarm is cleared or put off, and looks at what is due when it ends.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._action: Callable[[], object] | None = None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ends = 0.0

    @property
    def is_set(self) -> bool:
        return self._action is not None

    def set(self, seconds: float, action: Callable[[], object]) -> None:
        """Call the action then, and what was set before no more."""
        self._action = action
        self._due = self._loop.time() + seconds
        if self._timer is None or self._timer_ends > self._due:
            self._start()

    def clear(self) -> None:
        self._action = None

    def end(self) -> None:
        """Clear it, for good."""
        self.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ends = self._due
        self._timer = self._loop.call_later(self._due - self._loop.time(), self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._action is None:
            return
        if self._due > self._timer_ends:
            self._start()
            return
        action, self._action = self._action, None
        action()
