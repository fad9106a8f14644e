"""SIGTERM under load: nobody notices but by `Connection: close`, nothing is lost, and it ends in time."""

import contextlib
import signal
import socket
import time
from collections import Counter
from functools import partial
from typing import Any

import pytest

from inventory_api.server.worker import BACKGROUND_SECONDS
from tests.support.otlp import Collector, attributes, collecting
from tests.support.process import Server
from tests.support.waiting import let_pass, wait_until

from .clients import Answers, asking
from .drill import Drill

CLIENTS = 100
DELAY_SECONDS = 1
TIMEOUT_SECONDS = 5
# Delay, requests in flight, tasks, pools, spans, and one for the rest.
BOUND_SECONDS = DELAY_SECONDS + TIMEOUT_SECONDS + BACKGROUND_SECONDS + 3 + 3 + 1
# Room for all of the clients at once: this is about the drain, and not about overload.
ROOM: dict[str, Any] = {"max_in_flight": CLIENTS, "pool_acquire_timeout": 5}
SETTINGS: dict[str, Any] = {"drain_delay": DELAY_SECONDS, "drain_timeout": TIMEOUT_SECONDS, **ROOM}
# Far from the end of the SDK's queue, which is sent every five seconds by default.
SPANS: dict[str, Any] = {"OTEL_BSP_MAX_QUEUE_SIZE": 100_000, "OTEL_BSP_SCHEDULE_DELAY": 1000}
LOAD_SECONDS = 2.0


def test_sigterm(drill: Drill) -> None:
    """SIGTERM under 100 clients with kept connections"""
    _drains(drill, times=2)


@pytest.mark.thorough
def test_sigterm_ten_times(drill: Drill) -> None:
    """SIGTERM under 100 clients with kept connections, ten times"""
    _drains(drill, times=10)


@pytest.mark.thorough
def test_sigterm_with_four_server_workers(drill: Drill) -> None:
    """SIGTERM to four server workers, ten times"""
    _drains(drill, times=10, workers=4)


@pytest.mark.parametrize("answers", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_sigterm_with_a_dead_collector(drill: Drill, answers: bool) -> None:
    """The OTLP endpoint refuses connections, or takes them and never answers"""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if not answers:
            silent.close()
        _drain(drill, "dead collector", f"http://127.0.0.1:{port}")
    drill.report.verdict()


def test_sigterm_with_clients_that_are_stuck(drill: Drill) -> None:
    """Headers that do not end, a body that does not, and an answer that nobody reads"""
    with collecting() as collector, contextlib.ExitStack() as stack:
        server = _serve(drill, collector.endpoint)
        for beginning in (
            b"GET /inventory/A-0 HT",
            b"PATCH /inventory/A-0 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
        ):
            stuck = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            stuck.sendall(beginning)
        deaf = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        deaf.sendall(b"GET /inventory/A-0 HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        _terminate(drill, "stuck clients", server, drill.add_items(server))
    drill.report.verdict()


def test_reload_and_server_workers_that_are_told_to_stop(drill: Drill) -> None:
    """SIGHUP, and SIGTERM to one server worker after the other, under the same clients"""
    with collecting() as collector:
        server = _serve(drill, collector.endpoint, workers=2)
        prober = drill.probe(server)
        with asking(server.port, drill.add_items(server), CLIENTS, persistent=True) as clients:
            let_pass(LOAD_SECONDS)
            for _ in range(3):
                before = {worker.pid for worker in server.server_workers()}
                server.signal(signal.SIGHUP)
                wait_until(partial(_replaced, server, before))
            for worker in server.server_workers():
                worker.terminate()
                wait_until(partial(_replaced, server, {worker.pid}))
            let_pass(LOAD_SECONDS)
            answers = clients.stop()
        drill.report.claim("no connection is refused", not answers.refused, answers.refused)
        probes = prober.stop()
        drill.report.claim(
            "no probe fails", bool(probes) and not probes.failed, dict(probes.failed.labels()) or len(probes)
        )
        server.signal(signal.SIGTERM)
        drill.report.claim("it ends by itself, with 0", server.wait(BOUND_SECONDS * 2) == 0)
        _judge(drill, "reload", server, answers, collector)
    drill.report.verdict()


def _drains(drill: Drill, *, times: int, workers: int = 1) -> None:
    skus: list[str] = []
    for number in range(times):
        with collecting() as collector:
            server = _serve(drill, collector.endpoint, workers=workers)
            skus = skus or drill.add_items(server)
            answers = _terminate(drill, f"drain {number + 1}", server, skus)
            _judge(drill, f"drain {number + 1}", server, answers, collector)
    drill.report.verdict()


def _drain(drill: Drill, name: str, endpoint: str) -> None:
    server = _serve(drill, endpoint)
    _terminate(drill, name, server, drill.add_items(server))


def _serve(drill: Drill, endpoint: str, *, workers: int = 1) -> Server:
    return drill.serve(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, workers=workers, **SPANS, **SETTINGS)


def _terminate(drill: Drill, name: str, server: Server, skus: list[str]) -> Answers:
    """SIGTERM under the load of the clients, which all have been answered when it comes."""
    with asking(server.port, skus, CLIENTS) as clients:
        let_pass(LOAD_SECONDS)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        code = server.wait(BOUND_SECONDS * 2)
        took = time.monotonic() - began
        answers = clients.stop()
    report = drill.report
    report.say(f"{name}: {len(answers.statuses)} answers, ended in {took:.2f} s")
    failed = answers.labels()
    report.claim(
        f"{name}: every request is answered by 200", len(answers.statuses) > CLIENTS and not failed, dict(failed)
    )
    report.claim(f"{name}: it ends by itself, with 0", code == 0, code)
    report.measure(f"{name}: within its bound of {BOUND_SECONDS:g} s", took < BOUND_SECONDS, f"{took:.2f} s")
    return answers


def _judge(drill: Drill, name: str, server: Server, answers: Answers, collector: Collector) -> None:
    """Each answer has its one span, and each change that was answered its audit entry."""
    report = drill.report
    failed = answers.labels()
    report.claim(f"{name}: every request is answered by 200", not failed, dict(failed) or len(answers.statuses))
    seen = Counter(attributes(span).get("app.request_id") for span in collector.spans() if not span.parent_span_id)
    lost = [id_ for id_ in answers.statuses if seen[id_] != 1]
    report.claim(
        f"{name}: each has its span at the collector, once", not lost, f"{sum(seen.values())} spans, {len(lost)} lost"
    )
    audited = Counter(row[0] for row in drill.world.fetch("SELECT request_id FROM audit_entry"))
    missing = [id_ for id_ in answers.changes if id_ in answers.statuses and audited[id_] != 1]
    report.claim(f"{name}: each change is in the audit, once", not missing, f"{len(answers.changes)} changes")
    errors = [line["message"] for line in server.log_lines() if line["level"] in {"error", "critical"}]
    report.claim(f"{name}: the log has no error", not errors, errors[:3] or "")


def _replaced(server: Server, before: set[int]) -> bool:
    """Whether those have ended, and all that should serve do."""
    pids = {worker.pid for worker in server.server_workers()}
    return not pids & before and len(pids) == 2 and server.metric("server_worker_up") == 2
