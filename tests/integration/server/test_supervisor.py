"""The supervisor with real server workers: they are replaced, counted, and leave without a trace in the answers."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.process import SERVE_MISBEHAVING, Server, serving
from tests.support.service import AUTHORIZATION
from tests.support.waiting import wait_until


class Client(threading.Thread):
    """Asks one after the other until told to stop; takes another connection on `Connection: close`."""

    def __init__(self, request: Callable[[httpx.Client], httpx.Response]) -> None:
        super().__init__()
        self.outcomes: list[int | str] = []
        self.stopped = threading.Event()
        self._request = request

    def run(self) -> None:
        with httpx.Client(headers=AUTHORIZATION, timeout=30) as client:
            while not self.stopped.is_set():
                try:
                    self.outcomes.append(self._request(client).status_code)
                except httpx.TransportError as error:
                    self.outcomes.append(repr(error))


@contextlib.contextmanager
def asking(request: Callable[[httpx.Client], httpx.Response], clients: int) -> Iterator[list[Client]]:
    started = [Client(request) for _ in range(clients)]
    for client in started:
        client.start()
    try:
        yield started
    finally:
        for client in started:
            client.stopped.set()
        for client in started:
            client.join()


def _is_up(server: Server, count: int) -> bool:
    return server.metric("server_worker_up") == count


@pytest.mark.parametrize("workers", [1, 2])
def test_a_reload_under_load_fails_no_request_and_readiness_never_turns(
    settings: dict[str, Any], tmp_path: Path, workers: int
) -> None:
    """The old ones say `Connection: close` and leave; the new ones have answered meanwhile; nothing is lost."""
    with serving(tmp_path, workers=workers, drain_delay=2, **settings) as server:
        wait_until(lambda: _is_up(server, workers))
        before = {process.pid for process in server.server_workers()}
        server.put("A-1").raise_for_status()
        with (
            asking(lambda client: client.get(f"{server.api}/inventory/A-1"), 4) as clients,
            asking(lambda client: client.get(f"{server.management}/system/ready"), 1) as probes,
        ):
            wait_until(lambda: len(clients[0].outcomes) > 20)
            server.signal(signal.SIGHUP)
            wait_until(lambda: before.isdisjoint(process.pid for process in server.server_workers()))
            wait_until(lambda: _is_up(server, workers))
        assert {outcome for client in clients + probes for outcome in client.outcomes} == {200}
        assert server.metric("server_worker_exits_total", reason="stopped") == workers
        assert server.metric("server_worker_exits_total") == workers


def test_a_second_reload_before_the_first_is_over_loses_nothing_and_the_end_is_heard_meanwhile(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with serving(tmp_path, drain_delay=3, **settings) as server:
        wait_until(lambda: _is_up(server, 1))
        for expected in (2, 2):
            server.signal(signal.SIGHUP)
            wait_until(lambda expected=expected: len(server.children()) == expected)  # type: ignore[misc]
        server.signal(signal.SIGTERM)
        assert server.wait(30) == 0
        assert [line for line in server.log_lines() if line["level"] in ("error", "critical")] == []


def test_a_server_worker_that_is_only_just_forked_is_ended_as_well(settings: dict[str, Any], tmp_path: Path) -> None:
    command = (*SERVE_MISBEHAVING, "slow")
    with serving(tmp_path, ready=False, command=command, drain_timeout=5, upload_deadline=5, **settings) as server:
        wait_until(lambda: len(server.children()) == 1)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        said = [line["message"] for line in server.log_lines()]
        assert "server worker 0 has ended: stopped" in said


def test_a_server_worker_that_is_asked_to_leave_has_a_successor_before_it_is_gone(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with serving(tmp_path, drain_delay=3, **settings) as server:
        wait_until(lambda: _is_up(server, 1))
        (leaving,) = server.server_workers()
        with asking(lambda client: client.get(f"{server.management}/system/ready"), 1) as probes:
            leaving.send_signal(signal.SIGTERM)
            wait_until(lambda: len(server.server_workers()) == 2)
            assert leaving.is_running()
            wait_until(lambda: not leaving.is_running())
        assert set(probes[0].outcomes) == {200}
        assert server.metric("server_worker_exits_total", reason="stopped") == 1


def test_a_killed_server_worker_is_replaced_and_counted_by_whoever_is_left(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """The count is the supervisor's, so it is there although its slot's process began anew."""
    with serving(tmp_path, **settings) as server:
        wait_until(lambda: _is_up(server, 1))
        assert server.metric("server_worker_exits_total", reason="killed", server_worker=0) == 0
        began = server.metric("service_start_time_seconds")
        for times in (1, 2):
            (killed,) = server.server_workers()
            killed.kill()
            wait_until(lambda killed=killed: not killed.is_running())  # type: ignore[misc]
            wait_until(server.is_ready)
            assert server.metric("server_worker_exits_total", reason="killed", server_worker=0) == times
        assert server.metric("service_start_time_seconds") == began, "the service goes on"
        assert server.metric("process_start_time_seconds") > began
        wait_until(
            lambda: any(line["message"].startswith("server worker 0 has ended: killed") for line in server.log_lines())
        )


def test_a_wedged_server_worker_is_replaced_and_the_log_says_where_its_code_was(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with serving(tmp_path, command=SERVE_MISBEHAVING, server_worker_timeout=3, **settings) as server:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.api}/block", timeout=60)
        wait_until(server.is_ready)
        assert server.metric("server_worker_exits_total", reason="wedged") == 1
        (ended,) = [line for line in server.log_lines() if "has ended: wedged" in line["message"]]
        assert "in block" in ended["error.stack"]
        assert ended["level"] == "error"


def test_a_stopped_server_worker_is_told_by_its_sibling_and_replaced(settings: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path, workers=2, server_worker_timeout=4, **settings) as server:
        wait_until(lambda: _is_up(server, 2))
        stopped = server.server_workers()[0]
        stopped.send_signal(signal.SIGSTOP)
        wait_until(lambda: _scrape(server, "server_worker_up") == 1)
        wait_until(lambda: not stopped.is_running())
        wait_until(lambda: _is_up(server, 2))
        assert server.metric("server_worker_exits_total", reason="wedged") == 1


def test_server_workers_end_when_their_supervisor_is_gone(settings: dict[str, Any], tmp_path: Path) -> None:
    """They would keep the ports, and nobody would replace them."""
    with serving(tmp_path, server_worker_timeout=2, **settings) as server:
        orphans = server.server_workers()
        try:
            server.process.kill()
            server.wait()
            wait_until(lambda: not any(process.is_running() for process in orphans))
        finally:
            for orphan in orphans:
                with contextlib.suppress(Exception):
                    orphan.kill()


def test_background_work_is_finished_within_the_drain(settings: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path, command=SERVE_MISBEHAVING, drain_delay=0, **settings) as server:
        assert httpx.get(f"{server.api}/background?seconds=1").status_code == 200
        server.signal(signal.SIGTERM)
        assert server.wait(30) == 0
        assert "background work is done" in [line["message"] for line in server.log_lines()]


def test_background_work_without_an_end_does_not_keep_the_process(settings: dict[str, Any], tmp_path: Path) -> None:
    """Its time is its own, shorter than that of requests: the response was sent, and it may be lost."""
    with serving(tmp_path, command=SERVE_MISBEHAVING, drain_delay=0, drain_timeout=60, **settings) as server:
        assert httpx.get(f"{server.api}/background?seconds=3600").status_code == 200
        server.signal(signal.SIGTERM)
        assert server.wait(40) == 0
        assert "all resources are closed" in [line["message"] for line in server.log_lines()]


def _scrape(server: Server, name: str) -> float | None:
    """As `server.metric`, or None where the connection went to a process that is stopped."""
    with contextlib.suppress(httpx.TimeoutException):
        return server.metric(name, timeout=1)
    return None


@pytest.mark.parametrize("number", [signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2], ids=lambda number: number.name)
def test_signals_that_would_change_what_runs_are_ignored_and_said(
    settings: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    """gunicorn would start or stop a server worker, or execute itself anew, which here fails with a bare traceback."""
    with serving(tmp_path, workers=2, **settings) as server:
        wait_until(lambda: _is_up(server, 2))
        before = server.children()
        server.signal(number)
        wait_until(lambda: any("the signal is ignored" in line["message"] for line in server.log_lines()))
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert server.stderr == ""
    starts = [line for line in server.log_lines() if line["message"].startswith("Booting worker")]
    assert len(starts) == len(before) == 2
