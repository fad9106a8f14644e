"""`inventory-api dev`: embedded servers, migrations, demo data; the same gunicorn and queue worker as in production."""

import argparse
import fcntl
import hashlib
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from inventory_api import settings
from inventory_api.dev import demo_data
from inventory_api.dev.embedded import EmbeddedError, EmbeddedPostgres, EmbeddedRedis, reachable
from inventory_api.dev.processes import Processes
from inventory_api.http.auth import SCOPES

HOST = "127.0.0.1"
POLL_SECONDS = 0.2
COMMAND = (sys.executable, "-m", "inventory_api.cli")
# Where root keeps data when PostgreSQL's account cannot reach the folder that it is in; only root can write there.
ROOT_DATA = Path("/var/lib")
# What the command decides; the rest of INVENTORY_* is the user's.
DECIDED = (
    "DATABASE_URL", "DATABASE_URL_FILE", "DATABASE_DIRECT_URL", "DATABASE_DIRECT_URL_FILE", "REDIS_URL",
    "REDIS_URL_FILE", "API_KEYS_FILE", "HOST", "PORT", "MANAGEMENT_PORT", "WORKERS",
)  # fmt: skip


class DevError(Exception):
    """It cannot go on; the message says why, and what to do, in one line."""


def run(options: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM; leaves nothing running."""
    asked = _Asked()
    try:
        with ExitStack() as stack:
            return _run(options, stack, asked)
    except (DevError, EmbeddedError) as error:
        print(f"inventory-api dev: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace, stack: ExitStack, asked: "_Asked") -> int:
    data = _data_directory(options.data_dir)
    stack.enter_context(_only_one(data))
    processes = Processes(data / "processes.json")
    processes.end_leftovers()
    worker_port = options.management_port + 1
    for name, port in (
        ("port", options.port), ("management-port", options.management_port), ("management-port", worker_port),
    ):  # fmt: skip
        _check_free(name, port)
    stack.callback(processes.stop)
    database_url = options.database_url or _start_postgres(data, processes, stack)
    redis_url = options.redis_url or _start_redis(data, processes, stack)
    key = options.api_key or _kept_key(data)
    environment = _environment(options, database_url, redis_url, _keys_file(data, key))
    loaded = settings.load(environment)
    loaded.check_addresses()
    print(_banner(options, key, data, redis_url), file=sys.stderr, flush=True)
    migrated = _migrate(environment)
    if asked.signal is not None:
        return 0
    if not migrated:
        raise DevError("the migrations failed; the log line above says why")
    if not options.no_demo_data:
        demo_data.add(database_url)
    worker = {**environment, "INVENTORY_MANAGEMENT_PORT": str(worker_port)}
    processes.start("the queue worker", [*COMMAND, "worker"], env=worker)
    # The last, so that it is the first to end.
    processes.start("the API", [*COMMAND, "serve"], env=environment)
    return _wait(processes, options.management_port, asked, loaded.graceful_timeout)


def _wait(processes: Processes, management_port: int, asked: "_Asked", graceful_timeout: int) -> int:
    """Until a signal is passed on and the API has ended, or any of the processes ends by itself."""
    announced = False
    while asked.signal is None:
        if (ended := processes.first_ended(POLL_SECONDS)) is not None:
            raise DevError(f"{ended} has ended by itself; its last log lines say why")
        if not announced and (announced := _is_ready(management_port)):
            print("ready: the lines above work now\n", file=sys.stderr, flush=True)
    # A terminal that was closed is told as SIGHUP; for gunicorn that would be a reload.
    processes.stop_last(signal.SIGTERM if asked.signal == signal.SIGHUP else asked.signal, graceful_timeout + 5)
    return 0


class _Asked:
    """The signal by which the end was asked for. From the beginning, so that none is missed while things start."""

    def __init__(self) -> None:
        self.signal: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._take)

    def _take(self, number: int, _: object) -> None:
        self.signal = number


def _data_directory(given: str | None) -> Path:
    """Made where it is missing. Somebody else's is refused: its key and its record of processes are believed."""
    data = Path(given) if given else Path(".data")
    if not given and not reachable(Path.cwd()):
        digest = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:12]
        data = ROOT_DATA / f"inventory-api-dev-{digest}"
    try:
        data.mkdir(mode=0o711, parents=True, exist_ok=True)
        found = data.stat()
        if not data.is_dir() or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise DevError(f"--data-dir: {data} must be a directory of yours that nobody else can write to")
        (data / "lock").touch()
    except OSError as error:
        raise DevError(f"--data-dir: {data}: {error.strerror}") from error
    return data.resolve()


@contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """The lock ends with the process, however it ends."""
    with (data / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevError(f"another `inventory-api dev` uses {data}; end it, or choose another --data-dir") from None
        yield


def _check_free(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise DevError(f"port {port}: {error.strerror}; choose another by --{name}") from error


def _start_postgres(data: Path, processes: Processes, stack: ExitStack) -> str:
    postgres = EmbeddedPostgres(data, processes)
    stack.callback(postgres.stop)
    postgres.start()
    return postgres.url()


def _start_redis(data: Path, processes: Processes, stack: ExitStack) -> str | None:
    redis = EmbeddedRedis(data, processes)
    stack.callback(redis.stop)
    return redis.url if redis.start() else None


def _kept_key(data: Path) -> str:
    file = data / "api-key"
    if not file.exists():
        _write_private(file, secrets.token_urlsafe(32))
    return file.read_text().strip()


def _keys_file(data: Path, key: str) -> Path:
    """The user's keys, if there are any, and this one, which has every scope."""
    keys = []
    if given := os.environ.get(f"{settings.PREFIX}API_KEYS_FILE"):
        try:
            keys = json.loads(Path(given).read_text())["keys"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DevError(f"{settings.PREFIX}API_KEYS_FILE: {given}: {error}") from error
    digest = hashlib.sha256(key.encode()).hexdigest()
    file = data / "api-keys.json"
    _write_private(file, json.dumps({"keys": [*keys, {"id": "dev", "sha256": digest, "scopes": list(SCOPES)}]}))
    return file


def _write_private(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)


def _environment(options: argparse.Namespace, database_url: str, redis_url: str | None, keys: Path) -> dict[str, str]:
    decided = {settings.PREFIX + name for name in DECIDED}
    environment = {name: value for name, value in os.environ.items() if name not in decided}
    environment |= {
        "INVENTORY_DATABASE_URL": database_url,
        "INVENTORY_API_KEYS_FILE": str(keys),
        "INVENTORY_HOST": HOST,
        "INVENTORY_PORT": str(options.port),
        "INVENTORY_MANAGEMENT_PORT": str(options.management_port),
        "INVENTORY_WORKERS": str(options.workers),
    }
    environment.setdefault("INVENTORY_DOCS", "true")
    environment.setdefault("INVENTORY_WEBHOOK_LOOPBACK", "true")
    environment.setdefault("INVENTORY_STORAGE_URL", f"file://{quote(str(keys.parent / 'attachments'))}")
    if redis_url:
        environment["INVENTORY_REDIS_URL"] = redis_url
    return environment


def _migrate(environment: dict[str, str]) -> bool:
    """In a session of its own, so that Ctrl-C reaches this command alone."""
    migrate = [*COMMAND, "migrate", "--timeout", "30"]
    return subprocess.run(migrate, env=environment, check=False, start_new_session=True).returncode == 0


def _is_ready(management_port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{management_port}/system/ready", timeout=1) as response:
            return bool(response.status == 200)  # noqa: PLR2004
    except OSError:
        return False


def _banner(options: argparse.Namespace, key: str, data: Path, redis_url: str | None) -> str:
    api, management = f"http://{HOST}:{options.port}", f"http://{HOST}:{options.management_port}"
    authorization = shlex.quote(f"Authorization: Bearer {key}")
    json_type = "-H 'Content-Type: application/json'"
    sku = f"DEMO-{secrets.token_hex(3).upper()}"
    item = json.dumps(
        {
            "name": "Torque wrench",
            "quantity": 25,
            "warehouse_location": "MAIN",
            "is_discontinued": False,
            "low_stock_threshold": 5,
            "attributes": {"drive": "1/2 in"},
        }
    )
    redis = "" if redis_url else "\n  Redis          none for this Python and none on PATH: the service runs without it"
    return f"""
inventory-api dev

  API            {api}   (documentation: {api}/docs)
  management     {management}   (/metrics, /system/ready, /system/info)
  queue worker   http://{HOST}:{options.management_port + 1}   (the same of it)
  API key        {key}
  data           {data}{redis}

Create an item, change one field of it, see what was recorded:

  curl -i -X PUT {api}/inventory/{sku} -H {authorization} {json_type} -d '{item}'

  curl -i -X PATCH {api}/inventory/{sku} -H {authorization} {json_type} -d '{{"name": "Torque wrench, 1/2 in"}}'

  curl -i {api}/inventory/{sku}/audit -H {authorization}

Ctrl-C ends everything.
"""
