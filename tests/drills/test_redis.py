"""Redis is taken away under load: it only makes things cheaper, so nobody gets an error for it."""

from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.support.proxy import Fault
from tests.support.waiting import let_pass

from . import claims
from .drill import Drill
from .faults import frozen, stopped

RATE = 150
WORKERS = 2
POOL = 8
IN_FLIGHT = WORKERS * POOL * 2
WARMING_SECONDS = 2
CALM_SECONDS = 5
WHILE_SECONDS = 3
# Redis is waited for no longer than 100 ms; what waited for it is slower than this.
SLOW_SECONDS = 0.09
# A machine with other work has slow requests without any fault; without a breaker, all of them would be.
NOISE = 0.3
# Far more than the load asks for: each request then goes to Redis, and none is refused.
RATE_LIMIT = "1000000/minute"


def test_redis_is_frozen(drill: Drill) -> None:
    """Redis is frozen"""
    _run(drill, frozen(drill.world.redis_process()))


@pytest.mark.thorough
def test_redis_is_stopped(drill: Drill) -> None:
    """Redis is stopped"""
    _run(drill, stopped(drill.world.redis))


@pytest.mark.thorough
@pytest.mark.parametrize("fault", ["silence", "drop"])
def test_redis_is_black_holed(drill: Drill, fault: Fault) -> None:
    """The network to Redis is a black hole"""
    proxy = drill.proxy(drill.world.redis.url)
    _run(drill, proxy.fault(fault), redis_url=proxy.url)


def _run(drill: Drill, fault: AbstractContextManager[object], **settings: Any) -> None:
    """Under the fault until readiness tells of it and for a while longer, then until all is well again."""
    server = drill.serve(workers=WORKERS, pool_max=POOL, rate_limit=RATE_LIMIT, **settings)
    workers = server.children()
    load, prober, mark = drill.mixed_load(server, rate=RATE), drill.probe(server), drill.timeline.mark
    let_pass(WARMING_SECONDS)
    mark("calm")
    let_pass(CALM_SECONDS)
    gone = mark("gone")
    with fault:
        claims.until_readiness_says(drill, prober, {"degraded"}, since=gone, within=claims.UNREADY_SECONDS)
        let_pass(WHILE_SECONDS)
    back = mark("back")
    claims.until_readiness_says(drill, prober, {"ready"}, since=back, within=claims.READY_AGAIN_SECONDS)
    let_pass(CALM_SECONDS)
    phases = drill.timeline.phases(load.stop())
    drill.report.load(phases)
    for phase, outcomes in phases.items():
        claims.no_failures(drill, phase, outcomes)
    unready = prober.outcomes().of("ready").failed
    drill.report.claim("readiness is a 200 through it all", not unready, dict(unready.labels()) or "")
    slow = {name: len(found.where(lambda outcome: outcome.latency > SLOW_SECONDS)) for name, found in phases.items()}
    most = IN_FLIGHT + NOISE * len(phases["gone"]) + slow["calm"] * len(phases["gone"]) / len(phases["calm"])
    text = f"one step of latency: slower than {SLOW_SECONDS * 1000:g} ms are at most {most:.0f}"
    drill.report.claim(text, slow["gone"] <= most, slow)
    claims.liveness_holds(drill, prober)
    claims.no_worker_was_replaced(drill, server, workers)
    claims.log_has_no_errors(drill, server)
    drill.report.verdict()
