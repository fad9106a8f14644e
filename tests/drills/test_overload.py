"""Ten times what can be answered: what is answered stays fast, the rest is refused soon, and probes do not notice."""

import psutil

from tests.support.process import Server
from tests.support.waiting import let_pass

from .claims import no_worker_was_replaced
from .drill import Drill, metric
from .load import Request, mixed
from .memory import MIB, peak, reset_peak, resident
from .outcomes import NOT_SENT, Outcomes
from .report import milliseconds

CAPACITY_SECONDS = 6
OVERLOAD_SECONDS = 10
# Fewer than are answered at once by default, so that nothing is refused while capacity is measured.
CAPACITY_CONNECTIONS = 16


def test_ten_times_the_capacity(drill: Drill) -> None:
    """10x overload: goodput, latency of what is answered, probes, memory."""
    server = drill.serve()
    _apart(drill, server)
    workers = server.children()
    requests = mixed(drill.add_items(server))

    _measure(drill, server, requests)
    capacity = _measure(drill, server, requests)
    prober = drill.probe(server)
    reset_peak(workers)
    before = resident(workers)
    load = drill.load(server, requests, rate=10 * capacity)
    drill.timeline.mark("10x")
    let_pass(OVERLOAD_SECONDS)
    drill.timeline.mark("ended")
    outcomes = drill.timeline.phases(load.stop())["10x"]
    probes = drill.timeline.phases(prober.stop())["10x"]
    drill.timeline.mark("after")
    after_load = drill.load(server, requests, rate=capacity / 2)
    let_pass(3)
    after = after_load.stop()

    report = drill.report
    report.load({"10x": outcomes, "after": after})
    goodput = len(outcomes.answered) / OVERLOAD_SECONDS
    report.say(f"capacity {capacity:.0f} requests/s, offered {10 * capacity:.0f}, goodput {goodput:.0f}")
    report.claim("goodput is at least 80 % of the capacity", goodput >= 0.8 * capacity, f"{goodput / capacity:.0%}")
    refused = outcomes.failed.where(lambda outcome: outcome.problem != NOT_SENT)
    others = refused.where(lambda outcome: outcome.error != "OVERLOADED" or not outcome.retry_after).labels()
    report.claim("what is refused is 503 OVERLOADED with Retry-After", not others, dict(others) or "")
    report.claim("in the one shape, under its own id", all(outcome.one_shape for outcome in refused))
    served = outcomes.answered.percentile(99)
    report.claim("p99 of what is answered is under 500 ms", served < 0.5, milliseconds(served))
    slow = probes.percentile(99)
    report.claim("probes answer in under 50 ms (p99)", slow < 0.05 and not probes.failed, _spread(probes))
    grown = peak(workers) - before
    report.claim("memory stays flat (under 32 MiB)", grown < 32 * MIB, f"{grown / MIB:.1f} MiB")
    report.claim("afterwards every request is answered", not after.failed, dict(after.failed.labels()) or "")
    report.say(f"shed: {metric(server, 'http_server_shed_total'):.0f}")
    no_worker_was_replaced(drill, server, workers)
    report.verdict()


def _measure(drill: Drill, server: Server, requests: list[Request]) -> float:
    """Answers a second when a few clients ask as fast as they are answered."""
    load = drill.load(server, requests, rate=4000, connections=CAPACITY_CONNECTIONS)
    load.wait_for(1000)
    begun = drill.timeline.mark("capacity")
    let_pass(CAPACITY_SECONDS)
    ended = drill.timeline.mark("measured")
    within = load.stop().where(lambda outcome: begun <= outcome.ended <= ended)
    return len(within.answered) / (ended - begun)


def _apart(drill: Drill, server: Server) -> None:
    """The load on one core and what answers it on the other, so that ten times the load takes nothing from it."""
    cores = psutil.Process().cpu_affinity() or []
    if len(cores) > 1:
        for parent in (psutil.Process(server.process.pid), drill.world.postgres_process()):
            for process in (parent, *parent.children(recursive=True)):
                process.cpu_affinity(cores[1:2])
        psutil.Process().cpu_affinity(cores[:1])


def _spread(outcomes: Outcomes) -> str:
    times = outcomes.percentile(50), outcomes.percentile(99), outcomes.slowest
    return "p50 {}, p99 {}, slowest {}".format(*map(milliseconds, times))
