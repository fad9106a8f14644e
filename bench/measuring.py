"""Capacity by clients that ask again as soon as they are answered; latency by a schedule that waits for nobody.

Latency is measured at rates that are shares of the plain application's capacity, the same for all: one that each of
them can serve, and one that is too much for it.
"""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.drills.load import Request, loading
from tests.drills.outcomes import NOT_SENT, Outcome, Outcomes
from tests.support.service import AUTHORIZATION
from tests.support.waiting import let_pass

from .targets import STOCK, Target

CLIENTS = 16
SERVED, TOO_MUCH = 0.6, 1.2
WARMING_REQUESTS = 200


@dataclass(frozen=True)
class Plan:
    rounds: int
    seconds: float


@dataclass
class Series:
    """Of one target, one value a round."""

    capacity: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    # With too many requests: of those that were served, and the share of those that were not.
    p99_of_too_many: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)


def operations(skus: Sequence[str], turn: str) -> dict[str, list[Request]]:
    """What is measured. `turn` makes the keys of one load different from those of any other."""
    keyed = {**AUTHORIZATION, "Idempotency-Key": f"{turn}-{{n}}"}
    adjustment = '{"lines": [{"sku": "%s", "delta": 1, "reason": "found"}]}'
    return {
        "GET item": [Request("GET", "GET", f"/inventory/{sku}") for sku in skus],
        "PATCH item": [Request("PATCH", "PATCH", f"/inventory/{sku}", '{"name": "Name {n}"}') for sku in skus],
        "POST adjustment": [
            Request("POST", "POST", "/inventory/adjustments", adjustment % sku, headers=keyed) for sku in skus
        ],
    }


def measure(
    directory: Path, targets: Sequence[Target], skus: Sequence[str], plan: Plan
) -> Iterator[tuple[str, Mapping[str, Series]]]:
    """Each operation, and of each target its series. The targets take turns, each round beginning with another one."""
    for operation in operations(skus, ""):
        series = {target.name: Series() for target in targets}
        for target in targets:
            capacity(directory, target, operations(skus, f"warm-{target.name}".replace(" ", "-"))[operation], 0.5)
        for phase, share in (("capacity", 0.0), ("latency", SERVED), ("overload", TOO_MUCH)):
            rate = share * statistics.median(series[STOCK].capacity) if share else 0.0
            for number in range(plan.rounds):
                for target in (*targets[number % len(targets) :], *targets[: number % len(targets)]):
                    turn = f"{phase}-{number}-{target.name}".replace(" ", "-")
                    requests = operations(skus, turn)[operation]
                    if not share:
                        series[target.name].capacity.append(capacity(directory, target, requests, plan.seconds))
                    else:
                        outcomes = latency(directory, target, requests, rate, plan.seconds)
                        _note(series[target.name], outcomes, too_many=share > 1)
        yield operation, series


def _note(series: Series, outcomes: Outcomes, *, too_many: bool) -> None:
    served = outcomes.where(lambda outcome: not _had_no_room(outcome))
    if too_many:
        series.p99_of_too_many.append(served.percentile(99))
        series.refused.append(1 - len(served) / len(outcomes))
    else:
        series.p50.append(served.percentile(50))
        series.p99.append(served.percentile(99))


def capacity(directory: Path, target: Target, requests: Sequence[Request], seconds: float) -> float:
    """Requests a second."""
    with loading(directory, target.port, requests, clients=CLIENTS) as load:
        load.wait_for(WARMING_REQUESTS)
        begun = time.monotonic()
        let_pass(seconds)
        ended = time.monotonic()
        outcomes = load.stop()
    _require_success(target, outcomes)
    done = outcomes.where(lambda outcome: begun <= outcome.ended < ended and not _had_no_room(outcome))
    return len(done) / (ended - begun)


def latency(directory: Path, target: Target, requests: Sequence[Request], rate: float, seconds: float) -> Outcomes:
    with loading(directory, target.port, requests, rate=rate) as load:
        load.wait_for(WARMING_REQUESTS)
        begun = time.monotonic()
        let_pass(seconds)
        outcomes = load.stop()
    _require_success(target, outcomes)
    return outcomes.where(lambda outcome: outcome.due >= begun)


def _had_no_room(outcome: Outcome) -> bool:
    """Refused; or not even sent, as all connections that the load may have were waiting."""
    return outcome.no_room or outcome.problem == NOT_SENT


def _require_success(target: Target, outcomes: Outcomes) -> None:
    others = outcomes.where(lambda outcome: outcome.status not in {200, 201} and not _had_no_room(outcome)).labels()
    if others:
        raise SystemExit(f"bench: {target.name} did not answer all of {len(outcomes)}: {dict(others)}")
