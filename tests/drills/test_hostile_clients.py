"""Clients that keep to no rule: each gets a clear refusal or its end, and nobody else notices."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from inventory_api.server.gunicorn import KEEP_ALIVE_SECONDS
from inventory_api.server.protocol import HttpProtocol
from tests.support.process import Server
from tests.support.waiting import let_pass, wait_until

from . import claims
from .drill import Drill
from .hostile import Heard, Parts, after, deaf, drip, say_all
from .memory import MIB, peak, reset_peak, resident
from .report import milliseconds
from .sayings import CHUNKED, NOWHERE, PUT, sayings

RATE = 50
WARMING_SECONDS = 2
# Each of what is said comes so often, so many of them at once: fewer than are let in.
TIMES = 4
AT_ONCE = 8
IDLE = 500
ARRIVAL_SECONDS = 5
MOST_GROWTH = 48 * MIB
# Clients of each kind that is slow.
SLOW = 100
# Few, since what they ask for costs the service a few milliseconds each time.
DEAF = 5
# What the bounds of the server may be late by: timers, and the kernel's, which looks when it asks again.
LATE_SECONDS = 3.0
LARGE_ANSWER = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


def test_hostile_requests(drill: Drill) -> None:
    """Requests that are too large, no HTTP, no JSON, or two in one"""
    with _nobody_else_notices(drill) as server:
        heard, refused = _answers(server)
        for name, (_, right) in sayings().items():
            labels, slowest = {one.label for one in heard[name]}, max(one.seconds for one in heard[name])
            drill.report.claim(name, labels <= right, f"{' | '.join(sorted(labels))} in {milliseconds(slowest)}")
        drill.report.measure("there is room for each at once", not refused, refused)


def test_slow_clients(drill: Drill) -> None:
    """Clients that send slowly, or nothing, or read no answers"""
    header, unread = HttpProtocol.header_seconds, HttpProtocol.unread_seconds
    # Where all begin at once, some are too many, and a connection that was refused is kept as an idle one is.
    late = ["408 REQUEST_TIMEOUT"]
    body = [*late, "408 REQUEST_TIMEOUT, reset", "503 OVERLOADED", "503 OVERLOADED, reset"]
    groups: list[tuple[str, Callable[[float], Parts], list[str]]] = [
        ("headers that drip", lambda begin: drip(b"GET / HTTP/1.1\r\nX: ", begin), late),
        ("bodies that drip", lambda begin: drip(PUT + b"Content-Length: 1000\r\n\r\n", begin), body),
        ("chunks that drip", lambda begin: drip(CHUNKED + b"fff\r\n", begin), body),
        *[("sockets that say nothing", lambda _: [], [""])] * 5,
    ]
    with _nobody_else_notices(drill) as server, deaf(server.port, LARGE_ANSWER * 100, DEAF) as ports:
        wait_until(lambda: len(_connections(server, ports)) == len(ports))
        begun = time.monotonic()
        begins = [number * ARRIVAL_SECONDS / SLOW for number in range(SLOW)]
        heard = asyncio.run(say_all(server.port, [said(begin) for _, said, _ in groups for begin in begins]))
        for number, (name, _, labels) in enumerate(groups):
            _claim_ended(drill, name, heard[number * SLOW : (number + 1) * SLOW], labels, header + ARRIVAL_SECONDS)
        there = len(_connections(server, ports))
        wait_until(lambda: not _connections(server, ports), unread * 3)
        took = time.monotonic() - begun
        drill.report.claim("clients that read nothing hold their connections meanwhile", there == len(ports), there)
        drill.report.measure(f"and lose them after {unread:g} s", took <= unread + LATE_SECONDS, milliseconds(took))


@pytest.mark.thorough
def test_kept_connections_that_stay_idle(drill: Drill) -> None:
    """Connections that were used once, and never again"""
    with _nobody_else_notices(drill) as server:
        # Not in one burst, of which most would be refused.
        sayings = [after(number * ARRIVAL_SECONDS / IDLE, NOWHERE) for number in range(IDLE)]
        heard = asyncio.run(say_all(server.port, sayings))
        _claim_ended(drill, "idle connections", heard, ["404 NOT_FOUND"], KEEP_ALIVE_SECONDS + ARRIVAL_SECONDS)


def _answers(server: Server) -> tuple[dict[str, list[Heard]], int]:
    """What each is told, and how many had to be said again since there was no room for them."""
    heard: dict[str, list[Heard]] = {name: [] for name in sayings()}
    waiting, refused = list(heard) * TIMES, 0
    while waiting:
        told = zip(waiting, asyncio.run(say_all(server.port, _parts(waiting), AT_ONCE)), strict=True)
        waiting = []
        for name, one in told:
            if "503 OVERLOADED" in one.label:
                waiting.append(name)
            else:
                heard[name].append(one)
        refused += len(waiting)
    return heard, refused


def _parts(names: Sequence[str]) -> list[Parts]:
    """What they say, anew: it can be said once."""
    return [sayings()[name][0] for name in names]


@contextmanager
def _nobody_else_notices(drill: Drill) -> Iterator[Server]:
    """A light load beside what is done meanwhile; a warm server, whose memory stays flat."""
    server = drill.serve()
    workers = server.children()
    load, prober, report = drill.mixed_load(server, rate=RATE), drill.probe(server), drill.report
    drill.timeline.mark("calm")
    let_pass(WARMING_SECONDS)
    reset_peak(workers)
    before = resident(workers)
    drill.timeline.mark("hostile", disturbed=True)
    yield server
    drill.timeline.mark("afterwards")
    let_pass(WARMING_SECONDS)
    grown = peak(workers) - before
    phases = drill.timeline.phases(load.stop())
    report.load(phases)
    for name, outcomes in phases.items():
        claims.no_failures(drill, name, outcomes)
    report.claim(f"memory grows by less than {MOST_GROWTH // MIB} MiB", grown < MOST_GROWTH, f"{grown / MIB:.1f} MiB")
    unready = prober.outcomes().of("ready").failed
    report.claim("readiness never fails", not unready, dict(unready.labels()) or "")
    claims.liveness_holds(drill, prober)
    claims.no_worker_was_replaced(drill, server, workers)
    claims.log_has_no_errors(drill, server)
    report.verdict()


def _claim_ended(drill: Drill, name: str, heard: Sequence[Heard], labels: Sequence[str], bound: float) -> None:
    """Some are told the first, and none anything but these."""
    told, slowest = Counter(one.label for one in heard), max(one.seconds for one in heard)
    drill.report.claim(f"{len(heard)} {name}", labels[0] in told and told.keys() <= set(labels), dict(told))
    drill.report.measure(f"closed after {bound:g} s", slowest <= bound + LATE_SECONDS, milliseconds(slowest))


def _connections(server: Server, ports: set[int]) -> list[object]:
    """Those that server workers hold with clients on these ports."""
    found = (connection for worker in server.children() for connection in worker.net_connections("tcp"))
    return [connection for connection in found if ports.intersection(connection.raddr)]
