"""What the probes say. A background round of checks feeds them; a probe itself opens nothing and waits for nothing."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from prometheus_client import Gauge

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 2.0
TIMEOUT_SECONDS = 1.0
FAILURES_TO_UNREADY = 3

Readiness = Literal["starting", "ready", "degraded", "unready", "draining"]
# Answered with 200.
READY: frozenset[Readiness] = frozenset({"ready", "degraded"})


class Check(Protocol):
    """One dependency. `run` raises whatever is wrong; it is ended after `TIMEOUT_SECONDS`."""

    @property
    def name(self) -> str: ...

    async def run(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class CheckState:
    """What is known of one dependency. Failed after three failures in a row, or while it never passed; ok at once."""

    required: bool
    ok: bool = False
    failures: int = 0
    latency_ms: float | None = None
    error: str | None = None

    def view(self) -> dict[str, Any]:
        return {"status": "ok" if self.ok else "failed", "required": self.required, "latency_ms": self.latency_ms}


class Health:
    """Runs the checks every `INTERVAL_SECONDS` and answers from what they last said."""

    def __init__(
        self,
        checks: Sequence[Check],
        *,
        required: Collection[str],
        draining: Callable[[], bool],
        up: Gauge,
        ready: Gauge,
        drains: Gauge,
    ) -> None:
        """`up` has the label `check`, and is of the last round; `ready` and `drains` tell of when they are read."""
        self._checks = checks
        self._draining = draining
        self._up = up
        self._states = {check.name: CheckState(check.name in required) for check in checks}
        self._first_round_done = False
        self._task: asyncio.Task[None] | None = None
        ready.set_function(lambda: float(self.readiness() in READY))
        drains.set_function(lambda: float(draining()))

    async def open(self) -> None:
        """The first round, at most `TIMEOUT_SECONDS` long, whatever it says: the first probe then finds an answer.

        Else a server worker that stands in for another would say `starting` for a service that has long been ready.
        """
        await self._round()
        self._task = asyncio.create_task(self._rounds(), name="health")

    async def close(self) -> None:
        """Stop the rounds and close what the checks opened."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for check in self._checks:
            await check.close()

    @property
    def started(self) -> bool:
        """Whether the first round is done, whatever it said."""
        return self._first_round_done

    def readiness(self) -> Readiness:
        """Whether requests should come here."""
        if self._draining():
            return "draining"
        if not self._first_round_done:
            return "starting"
        if any(state.required and not state.ok for state in self._states.values()):
            return "unready"
        return "ready" if all(state.ok for state in self._states.values()) else "degraded"

    def checks(self) -> dict[str, dict[str, Any]]:
        """Each dependency, for the management port."""
        return {name: state.view() for name, state in self._states.items()}

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            await self._round()

    async def _round(self) -> None:
        before = self.readiness()
        await asyncio.gather(*(self._run(check) for check in self._checks))
        self._first_round_done = True
        if (after := self.readiness()) != before:
            level = logging.INFO if after == "ready" else logging.WARNING
            logger.log(level, "readiness: %s, was %s", after, before, extra={"checks": self.checks()})

    async def _run(self, check: Check) -> None:
        state = self._states[check.name]
        started = time.perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await check.run()
        except Exception as error:
            state.failures += 1
            state.error = str(error) or type(error).__name__
            if state.failures >= FAILURES_TO_UNREADY or not self._first_round_done:
                if state.ok or not self._first_round_done:
                    logger.warning("check %s failed: %s", check.name, state.error)
                state.ok = False
        else:
            state.ok, state.failures, state.error = True, 0, None
        state.latency_ms = round((time.perf_counter() - started) * 1000, 2)
        self._up.labels(check=check.name).set(state.ok)
