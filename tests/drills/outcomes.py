"""What became of requests, and in which phase of a drill."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from inventory_api.database.pool import NO_PLACE

NOT_SENT = "not sent"


def is_no_room(error: str, message: str) -> bool:
    """Of an error's type and message: whether it was refused because others were served, and not for any fault."""
    return error == "OVERLOADED" or message == NO_PLACE


class Outcome(NamedTuple):
    """One request. Times are those of `time.monotonic`, which all processes of a machine share."""

    number: int
    kind: str
    due: float
    begun: float
    ended: float
    status: int  # 0 where there was no answer, and then `problem` says why
    problem: str
    error: str  # the `type` of the error's body
    message: str  # and its `message`
    one_shape: bool  # the error contract's shape under the request's own id
    retry_after: bool
    state: str  # what readiness says
    closing: bool  # the answer says `Connection: close`

    @property
    def latency(self) -> float:
        return self.ended - self.due

    @property
    def failed(self) -> bool:
        return bool(self.problem) or self.status >= 500

    @property
    def no_room(self) -> bool:
        return is_no_room(self.error, self.message)

    @property
    def label(self) -> str:
        return self.problem or f"{self.status} {self.error}".strip()


def parse(lines: Iterable[str]) -> list[Outcome]:
    return [Outcome(*json.loads(line)) for line in lines]


class Outcomes(tuple[Outcome, ...]):
    """Some requests, counted."""

    __slots__ = ()

    def where(self, condition: Callable[[Outcome], bool]) -> "Outcomes":
        return Outcomes(outcome for outcome in self if condition(outcome))

    def of(self, kind: str) -> "Outcomes":
        return self.where(lambda outcome: outcome.kind == kind)

    @property
    def failed(self) -> "Outcomes":
        return self.where(lambda outcome: outcome.failed)

    @property
    def answered(self) -> "Outcomes":
        return self.where(lambda outcome: not outcome.failed)

    def labels(self) -> Counter[str]:
        return Counter(outcome.label for outcome in self)

    def percentile(self, percent: float) -> float:
        """Of latency, in seconds; 0 where there are none."""
        ordered = sorted(outcome.latency for outcome in self)
        return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0

    @property
    def slowest(self) -> float:
        return max((outcome.latency for outcome in self), default=0.0)


@dataclass(frozen=True)
class Mark:
    name: str
    at: float
    disturbed: bool


@dataclass
class Timeline:
    """When each phase of a drill began."""

    marks: list[Mark] = field(default_factory=list)

    def mark(self, name: str, *, disturbed: bool = False) -> float:
        """A phase begins. What spans two belongs to the disturbed one: it may have suffered from what was done."""
        at = time.monotonic()
        self.marks.append(Mark(name, at, disturbed))
        return at

    def phases(self, outcomes: Sequence[Outcome]) -> dict[str, Outcomes]:
        """The outcomes of each phase; none of those before the first."""
        found: dict[str, list[Outcome]] = {mark.name: [] for mark in self.marks}
        for outcome in outcomes:
            due, ended = self._at(outcome.due), self._at(outcome.ended)
            mark = ended if ended is not None and ended.disturbed and not (due and due.disturbed) else due
            if mark is not None:
                found[mark.name].append(outcome)
        return {name: Outcomes(members) for name, members in found.items()}

    def _at(self, moment: float) -> Mark | None:
        return next((mark for mark in reversed(self.marks) if mark.at <= moment), None)
