"""The service as processes of its own, as it runs in production."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support.service import AUTHORIZATION, ITEM
from tests.support.waiting import wait_until

MODULE = (sys.executable, "-m", "inventory_api.cli")
REPOSITORY = Path(__file__).parents[2]
SERVE = (*MODULE, "serve")
# The same, with routes that block, sleep in the background or raise; see there.
SERVE_MISBEHAVING = (sys.executable, "-m", "tests.support.misbehaving")


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


def free_pair() -> int:
    """A port that nobody listens on, nor on the next; below those that the system gives to whoever connects."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 -- hides nothing
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for number in (port, port + 1):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port


def is_free(port: int) -> bool:
    """Whether nobody listens on it, on loopback."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def clean_environment(values: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with these settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("INVENTORY_", "OTEL_"))}
    # The directory that a command runs in is another, and some are modules of the tests.
    inherited["PYTHONPATH"] = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    return inherited | {name: str(value) for name, value in values.items()}


class Running:
    """One command under test; its output goes to files."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], directory: Path) -> None:
        # Of its own and short, for the sockets in it; removed also where the command is killed.
        self._temporary = Path(tempfile.mkdtemp(prefix="it-"))
        self._temporary.chmod(0o711)
        self._stdout = directory / "stdout"
        self._stderr = directory / "stderr"
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self.process = subprocess.Popen(
                command,
                env={**environment, "TMPDIR": str(self._temporary)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=directory,
            )

    @property
    def stderr(self) -> str:
        return self._stderr.read_text()

    @property
    def log_text(self) -> str:
        return self._stdout.read_text()

    def log_lines(self) -> list[dict[str, Any]]:
        """Every line of stdout, which must be JSON, each of it."""
        return [json.loads(line) for line in self.log_text.splitlines()]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 90) -> int:
        return self.process.wait(seconds)

    def kill_all(self) -> None:
        """Whatever is left of it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self._temporary, ignore_errors=True)


class Server(Running):
    """A server with its two ports."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], directory: Path, port: int, management_port: int
    ) -> None:
        super().__init__(command, environment, directory)
        self.api = f"http://127.0.0.1:{port}"
        self.management = f"http://127.0.0.1:{management_port}"
        self.port = port
        self.management_port = management_port

    def server_workers(self) -> list[psutil.Process]:
        """Oldest first."""
        return sorted(self.children(), key=lambda process: process.create_time())

    def metric(self, name: str, *, timeout: float = 5, **labels: object) -> float:
        """The sum of the samples with that name and those labels, 0 where there is none."""
        samples = [sample for family in parse_text(self.metrics(timeout)) for sample in family.samples]
        wanted = {key: str(value) for key, value in labels.items()}.items()
        return sum(sample.value for sample in samples if sample.name == name and wanted <= sample.labels.items())

    def put(self, sku: str, **headers: str) -> httpx.Response:
        return httpx.put(f"{self.api}/inventory/{sku}", json=ITEM, headers={**AUTHORIZATION, **headers})

    def is_ready(self) -> bool:
        return self._says("ready")

    def is_started(self) -> bool:
        return self._says("startup")

    def status(self) -> str:
        """What readiness says, ready or not."""
        try:
            return str(httpx.get(f"{self.management}/system/ready").json().get("status"))
        except httpx.TransportError:
            return "unreachable"

    def _says(self, probe: str) -> bool:
        assert self.process.poll() is None, self.stderr
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.management}/system/{probe}").status_code == 200
        return False

    def metrics(self, timeout: float = 5) -> str:
        return httpx.get(f"{self.management}/metrics", timeout=timeout).text

    def restarted_as(self, count: int) -> bool:
        return len(self.children()) == count


@contextmanager
def serving(
    directory: Path, *, ready: bool = True, command: Sequence[str] = SERVE, **settings: object
) -> Iterator[Server]:
    """`inventory-api serve` on free ports until left; also where the test fails."""
    port, management_port = free_ports(2)
    values = {"HOST": "127.0.0.1", "PORT": port, "MANAGEMENT_PORT": management_port, "DRAIN_DELAY": 0.5}
    named = {f"INVENTORY_{name}": value for name, value in values.items()}
    named |= {name if name.startswith("OTEL_") else f"INVENTORY_{name.upper()}": v for name, v in settings.items()}
    server = Server(command, clean_environment(named), directory, port, management_port)
    try:
        if ready:
            wait_until(server.is_ready)
        yield server
    finally:
        server.kill_all()
