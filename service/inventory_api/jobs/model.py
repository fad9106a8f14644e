"""Which kinds of jobs there are, and what becomes of one that fails."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from inventory_api.audit import Provenance


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """One kind of job. After `max_starts` starts it is a dead letter, until somebody replays it."""

    name: str
    max_starts: int = 10
    seconds: float = 30.0
    first_delay_seconds: float = 1.0
    max_delay_seconds: float = 300.0
    # Higher ones are done first.
    priority: int = 0
    # How many of this kind all workers together do at once; 0: as many as they can.
    at_once: int = 0

    def delay(self, starts: int) -> timedelta:
        """Until the next start, after so many: twice as long each time, spread by a fifth both ways."""
        seconds = min(self.first_delay_seconds * 2 ** (starts - 1), self.max_delay_seconds)
        return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 -- spreads, hides nothing


EVENT = Entrypoint("event")
HOLD_SWEEP = Entrypoint("hold_sweep", priority=10, at_once=1)
LEDGER_VERIFY = Entrypoint("ledger_verify", max_starts=3, seconds=600, at_once=1)
RETENTION = Entrypoint("retention", max_starts=3, seconds=600, at_once=1)
OBJECT_REMOVAL = Entrypoint("object_removal", seconds=60)
ATTACHMENT_SWEEP = Entrypoint("attachment_sweep", at_once=1)

ENTRYPOINTS = {
    entrypoint.name: entrypoint
    for entrypoint in (EVENT, HOLD_SWEEP, LEDGER_VERIFY, RETENTION, OBJECT_REMOVAL, ATTACHMENT_SWEEP)
}
# Minute, hour, day, month, day of the week, in UTC.
SCHEDULES = {
    HOLD_SWEEP: "* * * * *",
    LEDGER_VERIFY: "17 3 * * *",
    RETENTION: "41 * * * *",
    ATTACHMENT_SWEEP: "*/5 * * * *",
}


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done, and for whom."""

    entrypoint: Entrypoint
    provenance: Provenance
    payload: Mapping[str, Any] = field(default_factory=dict)
    # While one with the same key is waiting or being done, there is no other.
    dedupe_key: str | None = None
