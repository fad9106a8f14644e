"""Ten times what can be answered: what is answered stays fast, the rest is refused, and probes do not notice."""

import psutil

from tests.support.process import Server
from tests.support.waiting import let_pass

from .claims import no_worker_was_replaced
from .drill import Drill, metric
from .load import Request, mixed
from .memory import MIB, peak, reset_peak, resident
from .outcomes import NOT_SENT, Outcomes
from .report import milliseconds, spread

# In turns, since a machine is not equally fast all the time.
ROUNDS = 4
CAPACITY_SECONDS = 3.0
OVERLOAD_SECONDS = 6.0
# As many as are answered at once by default, so that nothing is refused while the capacity is measured.
CAPACITY_CONNECTIONS = 16
OVERLOAD_CONNECTIONS = 1000
# More than is answered, to begin with. Then ten times the capacity is offered also while that is measured, on few
# connections: the generator is as busy, and cores are not quite apart.
FIRST_RATE = 4000.0
SETTLED = 500


def test_ten_times_the_capacity(drill: Drill) -> None:
    """10x overload: goodput, latency of what is answered, probes, memory."""
    server = drill.serve()
    _apart(drill, server)
    workers = server.children()
    requests = mixed(drill.add_items(server))
    offered = FIRST_RATE
    for warming in ("warming", "warming"):
        took, found = _saturate(drill, server, requests, warming, offered)
        offered = 10 * len(found.answered) / took
    reset_peak(workers)
    before = resident(workers)
    prober = drill.probe(server)
    seconds, outcomes = {"capacity": 0.0, "10x": 0.0}, Outcomes()
    for _ in range(ROUNDS):
        took, found = _saturate(drill, server, requests, "capacity", offered)
        seconds["capacity"] += took
        offered = 10 * len(found.answered) / took
        load = drill.load(server, requests, rate=offered, connections=OVERLOAD_CONNECTIONS, nice=10)
        load.wait_for(SETTLED)
        begun = drill.timeline.mark("10x")
        let_pass(OVERLOAD_SECONDS)
        seconds["10x"] += drill.timeline.mark("-") - begun
        outcomes = Outcomes((*outcomes, *found, *load.stop()))
    probes = drill.timeline.phases(prober.stop())["10x"]
    drill.timeline.mark("afterwards")
    light = drill.load(server, requests, rate=len(outcomes.answered) / sum(seconds.values()) / 2)
    let_pass(CAPACITY_SECONDS)
    phases = drill.timeline.phases((*outcomes, *light.stop()))

    report = drill.report
    report.load({name: phases[name] for name in ("capacity", "10x", "afterwards")})
    capacity, goodput = (len(phases[name].answered) / seconds[name] for name in ("capacity", "10x"))
    report.say(f"capacity {capacity:.0f} requests/s, goodput {goodput:.0f} requests/s")
    report.measure("goodput is at least 80 % of the capacity", goodput >= 0.8 * capacity, f"{goodput / capacity:.0%}")
    refused = outcomes.failed.where(lambda outcome: outcome.problem != NOT_SENT)
    others = refused.where(lambda outcome: not outcome.no_room or not outcome.retry_after).labels()
    report.claim("what is refused finds no room, and has Retry-After", not others, dict(others) or len(refused))
    late = refused.where(lambda outcome: outcome.error != "OVERLOADED")
    report.measure("and that at the gate, and not later", not late, len(late))
    report.claim("in the one shape, under its own id", all(outcome.one_shape for outcome in refused))
    slow = phases["10x"].answered.percentile(99)
    report.measure("p99 of what is answered is under 500 ms", slow < 0.5, milliseconds(slow))
    report.claim("every probe is answered", bool(probes) and not probes.failed, len(probes))
    report.measure("in under 50 ms (p99)", probes.percentile(99) < 0.05, spread(probes))
    grown = peak(workers) - before
    report.claim("memory stays flat (under 32 MiB)", grown < 32 * MIB, f"{grown / MIB:.1f} MiB")
    failed = phases["afterwards"].failed.labels()
    report.claim("afterwards every request is answered", not failed, dict(failed) or "")
    counted = metric(server, "http_server_shed_total") + metric(server, "db_client_connection_timeouts_total")
    report.claim("all that was refused is counted", counted >= len(refused), counted)
    no_worker_was_replaced(drill, server, workers)
    report.verdict()


def _saturate(drill: Drill, server: Server, requests: list[Request], phase: str, rate: float) -> tuple[float, Outcomes]:
    """A few clients that ask as fast as they are answered: for how long, and what came of it."""
    load = drill.load(server, requests, rate=rate, connections=CAPACITY_CONNECTIONS, nice=10)
    load.wait_for(SETTLED)
    begun = drill.timeline.mark(phase)
    let_pass(CAPACITY_SECONDS)
    ended = drill.timeline.mark("-")
    sent = load.stop().where(lambda outcome: outcome.problem != NOT_SENT)
    return ended - begun, sent.where(lambda outcome: begun <= outcome.due < ended)


def _apart(drill: Drill, server: Server) -> None:
    """The service on a core of its own, so that ten times the load takes nothing from it."""
    cores = psutil.Process().cpu_affinity() or []
    if len(cores) > 1:
        for parent, core in ((psutil.Process(server.process.pid), 1), (drill.world.postgres_process(), 0)):
            for process in (parent, *parent.children(recursive=True)):
                process.cpu_affinity([cores[core]])
        psutil.Process().cpu_affinity(cores[:1])
