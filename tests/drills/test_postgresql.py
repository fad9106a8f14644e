"""PostgreSQL is taken away under load: failures are honest and soon, and the service comes back by itself."""

from contextlib import AbstractContextManager

from tests.support.process import Server
from tests.support.waiting import let_pass

from . import claims
from .drill import Drill
from .faults import frozen
from .load import Load
from .outcomes import Outcomes

RATE = 150
WORKERS = 2
POOL = 8
SESSIONS = WORKERS * (POOL + 1)
# The pools fill and the code gets warm: on a machine with other work, not all of the first requests are soon enough.
WARMING_SECONDS = 2
CALM_SECONDS = 3


class Outage:
    """One outage of PostgreSQL, from its beginning to the verdict."""

    def __init__(self, drill: Drill, server: Server) -> None:
        self.drill = drill
        self.server = server
        self.workers = server.children()
        self.load: Load = drill.mixed_load(server, rate=RATE)
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
        return phases


def test_frozen(drill: Drill) -> None:
    """PostgreSQL is frozen"""
    outage = Outage(drill, drill.serve(workers=WORKERS, pool_max=POOL))
    outage.run(frozen(drill.world.postgres_process()))
    outage.judge()
    drill.report.verdict()
