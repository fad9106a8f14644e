"""`inventory-api dev`, as `make run` starts it."""

import json
import re
import signal
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.support.process import MODULE, Running, Server, clean_environment, free_pair, free_ports
from tests.support.service import ADMIN_KEY, AUTHORIZATION
from tests.support.waiting import wait_until

Start = Callable[..., Server]


@pytest.fixture
def data(server_directory: Path) -> Path:
    directory = server_directory / f"dev-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o711)
    return directory


@pytest.fixture
def start(data: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the command on this test's data directory; ends what is left at the end."""
    started: list[Server] = []

    def begin(*arguments: str, ready: bool = True, **environment: object) -> Server:
        (port,), management_port = free_ports(1), free_pair()
        flags = ["--port", str(port), "--management-port", str(management_port), "--data-dir", str(data)]
        directory = tmp_path / str(len(started))
        directory.mkdir()
        settings = {"INVENTORY_DRAIN_DELAY": 0.2, **environment}
        command = [*MODULE, "dev", *flags, *arguments]
        server = Server(command, clean_environment(settings), directory, port, management_port)
        started.append(server)
        if ready:
            wait_until(server.is_ready, 60)
        return server

    yield begin
    for server in started:
        server.kill_all()
    for process in _left(data):
        process.kill()


def _left(data: Path) -> list[psutil.Process]:
    """Every process that was started for a data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(data) in " ".join([*process.cmdline(), *process.environ().values()]):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
    return [process for process in found if process.pid != psutil.Process().pid]


def _curl_lines(server: Running) -> list[str]:
    return [line.strip() for line in server.stderr.splitlines() if line.strip().startswith("curl ")]


def _pasted(line: str) -> tuple[int, Any]:
    output = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout
    head, _, body = output.replace("\r", "").partition("\n\n")
    return int(head.split()[1]), json.loads(body)


def test_the_printed_lines_work_when_pasted_and_sigterm_leaves_nothing_running(start: Start, data: Path) -> None:
    server = start()
    put, patch, audit = _curl_lines(server)
    assert _pasted(put)[0] == 201
    status, patched = _pasted(patch)
    assert (status, patched["name"], patched["quantity"]) == (200, "Torque wrench, 1/2 in", 25)
    status, page = _pasted(audit)
    assert status == 200
    assert set(page["items"][0]["changes"]) == {"name"}
    demo = httpx.get(f"{server.api}/inventory/BOLT-M8", headers=_key(server))
    assert (demo.status_code, demo.json()["quantity"]) == (200, 1200)
    assert httpx.get(f"{server.api}/docs").status_code == 200
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert _left(data) == []
    assert server.log_lines(), "stdout is JSON lines only"


def _key(server: Running) -> dict[str, str]:
    found = re.search(r"API key +(\S+)", server.stderr)
    assert found
    return {"Authorization": f"Bearer {found[1]}"}


def test_a_second_start_continues_with_the_same_data_and_key(start: Start) -> None:
    first = start("--no-demo-data")
    _pasted(_curl_lines(first)[0])
    sku = _curl_lines(first)[0].partition("/inventory/")[2].split()[0]
    first.signal(signal.SIGTERM)
    first.wait()
    second = start("--no-demo-data")
    assert httpx.get(f"{second.api}/inventory/{sku}", headers=_key(first)).status_code == 200
    assert httpx.get(f"{second.api}/inventory/BOLT-M8", headers=_key(first)).status_code == 404


def test_a_kill_loses_nothing_that_was_committed_and_the_next_start_ends_what_was_left(
    start: Start, data: Path
) -> None:
    killed = start()
    _pasted(_curl_lines(killed)[0])
    sku = _curl_lines(killed)[0].partition("/inventory/")[2].split()[0]
    killed.process.kill()
    killed.wait()
    left = _left(data)
    assert left, "the servers of a killed command go on"
    again = start()
    assert httpx.get(f"{again.api}/inventory/{sku}", headers=_key(killed)).status_code == 200
    assert not set(left) & set(_left(data))
    again.signal(signal.SIGTERM)
    assert again.wait() == 0
    assert _left(data) == []


def test_ctrl_c_skips_the_drain_delay(start: Start, data: Path) -> None:
    """With a delay of an hour, the end comes all the same."""
    server = start("--api-key", ADMIN_KEY, INVENTORY_DRAIN_DELAY=3600)
    assert httpx.get(f"{server.api}/inventory/BOLT-M8", headers=AUTHORIZATION).status_code == 200
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert _left(data) == []


def test_workers_is_the_number_of_server_workers(start: Start) -> None:
    server = start("--workers", "2")
    wait_until(lambda: 'server_worker_up{server_worker="1"} 1.0' in server.metrics())


def test_a_taken_port_is_said_in_one_line(start: Start, data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        server = start("--port", str(number), ready=False)
        assert server.wait() == 1
    assert server.stderr == f"inventory-api dev: port {number}: Address already in use; choose another by --port\n"
    assert _left(data) == []


def test_a_data_directory_in_use_is_said_in_one_line(start: Start) -> None:
    start()
    second = start(ready=False)
    assert second.wait() == 1
    assert "another `inventory-api dev` uses" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_a_given_database_is_used_and_no_other_started(start: Start, empty_database_url: str, data: Path) -> None:
    server = start("--database-url", empty_database_url)
    assert httpx.get(f"{server.api}/inventory/BOLT-M8", headers=_key(server)).status_code == 200
    assert not (data / "postgresql").exists()


def test_keys_of_the_users_file_stay_valid_beside_the_commands(start: Start, keys_file: Path) -> None:
    server = start(INVENTORY_API_KEYS_FILE=keys_file)
    for headers in (_key(server), AUTHORIZATION):
        assert httpx.get(f"{server.api}/inventory/BOLT-M8", headers=headers).status_code == 200


def test_a_closed_terminal_ends_everything(start: Start, data: Path) -> None:
    server = start()
    server.signal(signal.SIGHUP)
    assert server.wait() == 0
    assert _left(data) == []


def test_a_server_that_ends_by_itself_ends_the_command_and_is_named(start: Start, data: Path) -> None:
    server = start()
    (postmaster,) = [child for child in server.children() if child.name() == "postgres"]
    postmaster.kill()
    assert server.wait() == 1
    assert "postgresql has ended by itself" in server.stderr
    assert _left(data) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "argument --port: '99999' is no port: 1 to 65535"),
        (["--data-dir", "/proc/nowhere"], "--data-dir: /proc/nowhere: No such file or directory"),
        (["--database-url", "mysql://x"], "INVENTORY_DATABASE_URL: must begin with postgresql://"),
    ],
)
def test_bad_arguments_are_told_in_a_line(start: Start, arguments: list[str], message: str) -> None:
    server = start(*arguments, ready=False)
    assert server.wait() in {1, 2}
    assert message in server.stderr.splitlines()[-1]
    assert "Traceback" not in server.stderr


def test_a_data_directory_that_others_can_write_to_is_refused(start: Start, data: Path) -> None:
    """Its record of processes would be believed, and its key."""
    data.chmod(0o777)
    server = start(ready=False)
    assert server.wait() == 1
    assert "must be a directory of yours that nobody else can write to" in server.stderr
