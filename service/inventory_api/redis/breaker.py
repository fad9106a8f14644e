"""A circuit breaker without a half-open state: whoever knows that the dependency is back closes it."""

import logging

from prometheus_client import Gauge

logger = logging.getLogger(__name__)

FAILURES_TO_OPEN = 5


class Breaker:
    """Opens after `FAILURES_TO_OPEN` failures in a row; stays open until `close` is called.

    Calls do not try whether the dependency is back, as a half-open breaker's do: a health check that runs anyway
    does, so no request pays for the trial.
    """

    def __init__(self, name: str, state: Gauge) -> None:
        """`state` has the label `state`, and is 1 for the one that it is in."""
        self._name = name
        self._state = state
        self._failures = 0
        self._open = False
        self._show()

    @property
    def is_open(self) -> bool:
        """Whether calls should fail without being made."""
        return self._open

    def succeeded(self) -> None:
        """A call was answered. One that was begun before it opened does not close it."""
        self._failures = 0

    def failed(self, cause: Exception) -> None:
        """A call was not answered."""
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN and not self._open:
            self._open = True
            self._show()
            logger.warning("breaker of %s: open after %d failures: %r", self._name, self._failures, cause)

    def close(self) -> None:
        """The dependency answers."""
        self._failures = 0
        if self._open:
            self._open = False
            self._show()
            logger.info("breaker of %s: closed", self._name)

    def _show(self) -> None:
        self._state.labels(state="open").set(self._open)
        self._state.labels(state="closed").set(not self._open)
