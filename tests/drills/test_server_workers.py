"""Server workers end or stand still under load: the others go on, each is replaced, and what was counted stays true.

Counters are of one process each, told by `server_worker`: a new process begins all of its own at 0, which `rate()`
takes for the reset that it is, and a server worker that does not answer is a gap, after which it goes on. So
`sum(rate(...))` loses no more than what was counted between the last scrape and the end of a process; `rate(sum(...))`
would take every gap for a reset.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from signal import SIGKILL, SIGSTOP, Signals

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families as parse_text

from inventory_api.dev.processes import runs
from tests.support.process import Server
from tests.support.waiting import let_pass, wait_until

from . import claims
from .drill import Drill, all_up, metric
from .outcomes import Outcome
from .report import milliseconds

RATE = 100
WORKERS = 2
TIMEOUT_SECONDS = 3
# gunicorn looks at its server workers once a second; ABRT, then KILL a second later; and the new one starts.
REPLACED_SECONDS = TIMEOUT_SECONDS + 6.0
SCRAPE_SECONDS = 0.2
START_SECONDS = 2.0
PHASE_SECONDS = 3
COUNTERS = ("_total", "_count", "_sum", "_bucket")
# The supervisor's, which outlives every server worker.
EXITS = "server_worker_exits_total"
# On the connections of one server worker, at this rate.
IN_FLIGHT = 16
ENDS = {"killed": (SIGKILL,), "stopped": (SIGSTOP,), "both": (SIGKILL, SIGSTOP)}
STARTED = "process_start_time_seconds"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Scrapes:
    """What `/metrics` told, every 200 ms; a scrape that fails is none, as it is for Prometheus."""

    def __init__(self, server: Server) -> None:
        self.found: list[Samples] = []
        self.failed = 0
        self.stopped = threading.Event()
        self._server = server

    def run(self) -> None:
        while not self.stopped.wait(SCRAPE_SECONDS):
            try:
                text = self._server.metrics(timeout=1)
            except httpx.HTTPError:
                self.failed += 1
                continue
            samples = (sample for family in parse_text(text) for sample in family.samples)
            self.found.append({(one.name, tuple(sorted(one.labels.items()))): one.value for one in samples})

    def told_down(self) -> int:
        """How many of them told that a server worker does not answer."""
        return sum(0 in (value for (name, _), value in one.items() if name == "server_worker_up") for one in self.found)

    def partial_decreases(self) -> list[str]:
        """Counters that went back although their process did not begin anew."""
        last: Samples = {}
        broken = []
        for samples in self.found:
            starts = {labels: value for (name, labels), value in samples.items() if name == STARTED}
            anew = {_worker(labels) for labels, value in starts.items() if value != last.get((STARTED, labels))}
            for (name, labels), value in samples.items():
                begun = name != EXITS and _worker(labels) in anew
                if name.endswith(COUNTERS) and not begun and value < last.get((name, labels), value):
                    broken.append(f"{name} {dict(labels)}")
            # What is not told for a while is remembered; what an ended process told is not.
            kept = {key: value for key, value in last.items() if key[0] == EXITS or _worker(key[1]) not in anew}
            last = kept | samples
        return broken

    def restarts(self) -> int:
        """How often the process in a slot became another one."""
        starts = {
            (labels, value) for samples in self.found for (name, labels), value in samples.items() if name == STARTED
        }
        return len(starts) - len({labels for labels, _ in starts})


def test_a_server_worker_is_killed_and_another_stopped(drill: Drill) -> None:
    """A server worker is killed, another stands still, then both at once"""
    server = drill.serve(workers=WORKERS, server_worker_timeout=TIMEOUT_SECONDS)
    wait_until(lambda: metric(server, "server_worker_up") == WORKERS)
    load, prober, mark = drill.mixed_load(server, rate=RATE), drill.probe(server), drill.timeline.mark
    held: dict[str, int] = {}
    with _scraping(server) as scrapes:
        mark("calm")
        let_pass(PHASE_SECONDS)
        for name, signals in ENDS.items():
            mark(name, disturbed=True)
            held[name] = _replaced(drill, server, signals)
            mark(f"after {name}")
            let_pass(PHASE_SECONDS)
    phases, report = drill.timeline.phases(load.stop()), drill.report
    report.load(phases)
    for name in ("calm", *(f"after {name}" for name in ENDS)):
        claims.no_failures(drill, name, phases[name])
    # With both, nobody answers until the first new one does, to which all that waited comes at once.
    stood = RATE * REPLACED_SECONDS / WORKERS
    most = {"killed": IN_FLIGHT, "stopped": stood, "both": stood + RATE * START_SECONDS}
    for name, bound in most.items():
        failed = phases[name].failed
        lost = failed.where(lambda outcome: bool(outcome.problem))
        text = f"{name}: none is lost but on the connections of those that ended, {held[name]}"
        report.claim(text, len(lost) <= held[name], dict(lost.labels()) or 0)
        wrong = failed.where(lambda outcome: not outcome.problem and not _is_retryable(outcome))
        report.claim("every other failure says when to come again", not wrong, dict(wrong.labels()) or "")
        report.measure(f"at most {bound:g} requests fail", len(failed) <= bound, len(failed))
    exits = {
        reason: metric(server, EXITS, reason=reason) for reason in ("killed", "wedged", "crashed", "failed", "stopped")
    }
    expected = {"killed": 2, "wedged": 2, "crashed": 0, "failed": 0, "stopped": 0}
    report.claim("each end is counted by its reason", exits == expected, exits)
    down = scrapes.told_down()
    report.claim("server_worker_up is 0 while one does not answer, and then 1 again", down >= 3, f"{down} scrapes")
    broken = scrapes.partial_decreases()
    report.claim("no counter goes back, but where its process began anew", not broken, broken[:3] or len(scrapes.found))
    report.claim("each new process can be told by its start", scrapes.restarts() == 4, scrapes.restarts())
    report.say(f"{len(scrapes.found)} scrapes, {scrapes.failed} without an answer")
    report.say(f"probes that failed: {dict(prober.outcomes().failed.labels())}")
    report.verdict()


def _replaced(drill: Drill, server: Server, signals: Sequence[Signals]) -> int:
    """Send one to each of the oldest, and claim that others take their places in time.

    Tells how many clients those had.
    """
    begun, gone = time.monotonic(), _serving(server)[: len(signals)]
    # Those that are killed stand still as well, for so long as their clients are counted.
    for process in gone:
        process.suspend()
    connections = [connection for process in gone for connection in process.net_connections("tcp")]
    held = sum(bool(one.raddr) and one.laddr.port == server.port for one in connections)
    for process, number in zip(gone, signals, strict=True):
        process.send_signal(number)
    wait_until(lambda: not any(process.is_running() for process in gone))
    wait_until(lambda: len(_serving(server)) == WORKERS and all_up(server, WORKERS))
    took, bound = time.monotonic() - begun, REPLACED_SECONDS
    drill.report.measure(f"{len(gone)} replaced within {bound:g} s", took <= bound, milliseconds(took))
    return held


def _is_retryable(outcome: Outcome) -> bool:
    """Too much for who is left; or a row is held by a transaction of the one that stands still."""
    return outcome.error in claims.RETRYABLE and outcome.retry_after and outcome.one_shape


def _serving(server: Server) -> list[psutil.Process]:
    """Oldest first; those that have ended and are not yet reaped are none."""
    return [process for process in server.server_workers() if runs(process)]


def _worker(labels: tuple[tuple[str, str], ...]) -> str:
    """Empty for what is told of the pod, which has no server worker's life."""
    return dict(labels).get("server_worker", "")


@contextmanager
def _scraping(server: Server) -> Iterator[Scrapes]:
    scrapes = Scrapes(server)
    thread = threading.Thread(target=scrapes.run)
    thread.start()
    try:
        yield scrapes
    finally:
        scrapes.stopped.set()
        thread.join()
