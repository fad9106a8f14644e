"""Capacity by clients that ask again as soon as they are answered; latency by a schedule that waits for nobody."""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.drills.load import Request, loading
from tests.drills.outcomes import Outcomes
from tests.support.service import AUTHORIZATION
from tests.support.waiting import let_pass

from .targets import STOCK, Target

CLIENTS = 16
# Of the capacity of the plain application: what all of them can serve.
SHARE = 0.6
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
            _capacity(directory, target, operations(skus, f"warm-{target.name}".replace(" ", "-"))[operation], 0.5)
        for phase in ("capacity", "latency"):
            rate = SHARE * statistics.median(series[STOCK].capacity) if phase == "latency" else 0.0
            for number in range(plan.rounds):
                for target in (*targets[number % len(targets) :], *targets[: number % len(targets)]):
                    turn = f"{phase}-{number}-{target.name}".replace(" ", "-")
                    requests = operations(skus, turn)[operation]
                    if phase == "capacity":
                        capacity = _capacity(directory, target, requests, plan.seconds)
                        series[target.name].capacity.append(capacity)
                    else:
                        outcomes = _latency(directory, target, requests, rate, plan.seconds)
                        series[target.name].p50.append(outcomes.percentile(50))
                        series[target.name].p99.append(outcomes.percentile(99))
                        refused = outcomes.where(lambda outcome: outcome.no_room)
                        series[target.name].refused.append(len(refused) / len(outcomes))
        yield operation, series


def _capacity(directory: Path, target: Target, requests: Sequence[Request], seconds: float) -> float:
    """Requests a second."""
    with loading(directory, target.port, requests, clients=CLIENTS) as load:
        load.wait_for(WARMING_REQUESTS)
        begun = time.monotonic()
        let_pass(seconds)
        ended = time.monotonic()
        outcomes = load.stop()
    _require_success(target, outcomes)
    done = outcomes.where(lambda outcome: begun <= outcome.ended < ended and not outcome.no_room)
    return len(done) / (ended - begun)


def _latency(directory: Path, target: Target, requests: Sequence[Request], rate: float, seconds: float) -> Outcomes:
    with loading(directory, target.port, requests, rate=rate) as load:
        load.wait_for(WARMING_REQUESTS)
        begun = time.monotonic()
        let_pass(seconds)
        outcomes = load.stop()
    _require_success(target, outcomes)
    return outcomes.where(lambda outcome: outcome.due >= begun)


def _require_success(target: Target, outcomes: Outcomes) -> None:
    others = outcomes.where(lambda outcome: outcome.status not in {200, 201} and not outcome.no_room).labels()
    if others:
        raise SystemExit(f"bench: {target.name} did not answer all of {len(outcomes)}: {dict(others)}")
