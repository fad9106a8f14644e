"""The service or one of its server workers is told to end under load: nobody sees it, and it ends in time."""

import signal
import socket

import pytest

from tests.support.otlp import collecting
from tests.support.process import free_ports

from .claims import liveness_holds
from .draining import Asked
from .drill import Drill
from .report import milliseconds
from .stuck import grow_audit, stuck_clients

THOROUGH = pytest.mark.thorough
RUNS = [1, *(pytest.param(run, marks=THOROUGH) for run in range(2, 11))]
# Long enough for a successor to be up before a server worker leaves; in production it is longer.
HANDOVER_SECONDS = 4
SHORT_DRAIN_SECONDS = 5


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("workers", [1, 4])
def test_sigterm(drill: Drill, workers: int, run: int) -> None:
    """SIGTERM under 100 keep-alive clients"""
    drill.report.say(f"server workers: {workers}, run {run}")
    with collecting() as collector:
        asked = Asked(drill, collector.endpoint, workers=workers).ask()
        asked.end()
        asked.judge(collector)
    drill.report.verdict()


@THOROUGH
def test_sigterm_without_a_collector(drill: Drill) -> None:
    """SIGTERM while the OTLP endpoint refuses connections"""
    asked = Asked(drill, f"http://127.0.0.1:{free_ports(1)[0]}").ask()
    asked.end()
    asked.judge()
    drill.report.verdict()


@THOROUGH
def test_sigterm_with_a_silent_collector(drill: Drill) -> None:
    """SIGTERM while the OTLP endpoint accepts and never answers"""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = Asked(drill, f"http://127.0.0.1:{silent.getsockname()[1]}").ask()
        asked.end()
        asked.judge()
    drill.report.verdict()


def test_sigterm_with_stuck_clients(drill: Drill) -> None:
    """SIGTERM while some clients come to no end"""
    with collecting() as collector:
        asked = Asked(drill, collector.endpoint, drain_timeout=SHORT_DRAIN_SECONDS)
        grow_audit(asked.server.api, asked.skus[0])
        asked.ask()
        with stuck_clients(asked.server.api, asked.skus[0]):
            took = asked.end()
        drill.report.claim("their time is all used", took > SHORT_DRAIN_SECONDS, milliseconds(took))
        asked.judge(collector)
    drill.report.verdict()


@pytest.mark.parametrize("reloads", [1, pytest.param(3, marks=THOROUGH)])
def test_rolling(drill: Drill, reloads: int) -> None:
    """Reloads, and SIGTERM to one server worker after the other, under 100 keep-alive clients"""
    with collecting() as collector:
        asked = Asked(drill, collector.endpoint, workers=2, drain_delay=HANDOVER_SECONDS).ask()
        prober = drill.probe(asked.server)
        for reload in range(1, reloads + 1):
            before = asked.server.server_workers()
            drill.timeline.mark(f"reload {reload}")
            asked.server.signal(signal.SIGHUP)
            asked.wait_until_replaced(before)
        for number, worker in enumerate(asked.server.server_workers(), 1):
            drill.timeline.mark(f"worker {number}")
            worker.send_signal(signal.SIGTERM)
            asked.wait_until_replaced([worker])
        asked.load.stop()
        probes = prober.stop()
        asked.end()
        asked.judge(collector)
    unready = probes.of("ready").failed.labels()
    drill.report.claim("readiness never fails", bool(probes.of("ready")) and not unready, dict(unready) or len(probes))
    liveness_holds(drill, prober)
    drill.report.verdict()
