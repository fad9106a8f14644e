"""PostgreSQL is taken away under load: failures are honest and soon, and the service comes back by itself."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager

import pytest

from tests.support.process import Server
from tests.support.proxy import Fault
from tests.support.waiting import let_pass, wait_until

from . import claims
from .drill import Drill
from .faults import connections_taken, frozen, stopped
from .load import Load, Request, mixed
from .outcomes import Outcomes

RATE = 150
WORKERS = 2
POOL = 8
SESSIONS = WORKERS * (POOL + 1)
# The pools fill and the code gets warm: on a machine with other work, not all of the first requests are soon enough.
WARMING_SECONDS = 2
CALM_SECONDS = 3
# Far over the 350 ms after which a request without a place in the pool is refused.
SLOW_SECONDS = 1.0
# Who has a place waits 2 s for a connection, or 3 s for a statement.
SHORTEST_WAIT_SECONDS = 2.0


class Outage:
    """One outage of PostgreSQL, from its beginning to the verdict."""

    def __init__(self, drill: Drill, server: Server, requests: Sequence[Request] | None = None) -> None:
        self.drill = drill
        self.server = server
        self.workers = server.children()
        self.load: Load = drill.load(server, requests or mixed(drill.add_items(server)), rate=RATE)
        self.prober: Load = drill.probe(server)

    def run(self, fault: AbstractContextManager[object], *, seconds: float = 0) -> None:
        """Under the fault until readiness tells of it, or for so many seconds; then until all is well again."""
        mark = self.drill.timeline.mark
        let_pass(WARMING_SECONDS)
        mark("calm")
        let_pass(CALM_SECONDS)
        began = mark("outage", disturbed=True)
        with fault:
            if seconds:
                let_pass(seconds)
            else:
                self.until({"unready"}, began, claims.UNREADY_SECONDS)
        self.recover()

    def recover(self) -> None:
        """PostgreSQL is back."""
        back = self.drill.timeline.mark("back", disturbed=True)
        self.until({"ready"}, back, claims.READY_AGAIN_SECONDS)
        let_pass(claims.READY_AGAIN_SECONDS - 1)
        self.drill.timeline.mark("after")
        let_pass(CALM_SECONDS)

    def until(self, states: set[str], since: float, within: float) -> None:
        claims.until_readiness_says(self.drill, self.prober, states, since=since, within=within)

    def judge(self) -> dict[str, Outcomes]:
        """All that holds for every outage."""
        drill = self.drill
        phases = drill.timeline.phases(self.load.stop())
        drill.report.load(phases)
        for quiet in {"calm", "after"} & set(phases):
            claims.no_failures(drill, quiet, phases[quiet])
        claims.failures_keep_the_contract(drill, Outcomes(o for phase in phases.values() for o in phase))
        claims.liveness_holds(drill, self.prober)
        claims.no_worker_was_replaced(drill, self.server, self.workers)
        claims.no_connection_leaks(drill, self.server, SESSIONS)
        claims.answered_changes_are_there(drill, self.load)
        claims.log_has_no_errors(drill, self.server)
        self._judge_slow_failures(phases["outage"])
        return phases

    def _judge_slow_failures(self, outage: Outcomes) -> None:
        """Only those that have a place in the pool wait for PostgreSQL; the others are refused soon."""
        slow = outage.failed.where(lambda outcome: outcome.latency > SLOW_SECONDS)
        lasted = max((o.ended for o in outage), default=0) - min((o.due for o in outage), default=0)
        most = WORKERS * POOL * math.ceil(1 + lasted / SHORTEST_WAIT_SECONDS)
        text = f"failures slower than {SLOW_SECONDS:g} s are at most those that had a place in a pool, {most}"
        self.drill.report.claim(text, len(slow) <= most, len(slow))


def test_frozen(drill: Drill) -> None:
    """PostgreSQL is frozen"""
    outage = Outage(drill, drill.serve(workers=WORKERS, pool_max=POOL))
    outage.run(frozen(drill.world.postgres_process()))
    outage.judge()
    drill.report.verdict()


@pytest.mark.thorough
def test_restarted(drill: Drill) -> None:
    """PostgreSQL is restarted"""
    outage = Outage(drill, drill.serve(workers=WORKERS, pool_max=POOL))
    outage.run(stopped(drill.world.postgres), seconds=3)
    outage.judge()
    drill.report.verdict()


@pytest.mark.parametrize("fault", ["silence", pytest.param("drop", marks=pytest.mark.thorough)])
def test_black_holed(drill: Drill, fault: Fault) -> None:
    """The network to PostgreSQL is a black hole"""
    proxy = drill.proxy(drill.world.database_url)
    outage = Outage(drill, drill.serve(workers=WORKERS, pool_max=POOL, database_url=proxy.url))
    outage.run(proxy.fault(fault))
    outage.judge()
    drill.report.verdict()


@pytest.mark.thorough
def test_out_of_connections(drill: Drill) -> None:
    """Another client has every connection of PostgreSQL"""
    drill.world.fetch("ALTER SYSTEM SET max_connections = 30")
    with stopped(drill.world.postgres):
        pass
    outage = Outage(drill, drill.serve(workers=WORKERS, pool_max=POOL))
    outage.run(connections_taken(drill.world.database_url))
    phases = outage.judge()
    slow = phases["outage"].failed.where(lambda outcome: outcome.latency > SLOW_SECONDS)
    drill.report.claim("a refusal is passed on at once", len(slow) <= SESSIONS, f"{len(slow)} slow ones")
    drill.report.verdict()


def test_down_at_the_start(drill: Drill) -> None:
    """PostgreSQL is down when the service starts"""
    with stopped(drill.world.postgres):
        server = drill.serve(ready=False, workers=WORKERS, pool_max=POOL)
        wait_until(server.is_started)
        outage = Outage(drill, server, mixed([f"A-{n}" for n in range(10)]))
        began = drill.timeline.mark("outage", disturbed=True)
        outage.until({"unready"}, began, claims.UNREADY_SECONDS)
        let_pass(CALM_SECONDS)
    outage.recover()
    outage.judge()
    drill.report.verdict()
