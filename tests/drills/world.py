"""What a drill has of its own: a PostgreSQL with the schema, a Redis, a key, and their processes."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from inventory_api.database.migrate import migrate
from inventory_api.dev.embedded import EmbeddedPostgres, EmbeddedRedis, socket_directory
from inventory_api.dev.processes import Processes
from tests.support.database import fetch
from tests.support.service import ADMIN_KEY, write_keys

DATABASE = "inventory"


class World:
    """`postgres` and `redis` run, and can be stopped and started; each has a directory of its own."""

    def __init__(self, directory: Path, processes: Processes, record: Path) -> None:
        self.directory = directory
        self.keys_file = write_keys(directory / "keys.json", {"admin": ADMIN_KEY})
        self.redis = EmbeddedRedis(make_directory(directory / "redis"), processes)
        self.postgres = EmbeddedPostgres(make_directory(directory / "postgresql"), processes)
        self._record = record

    def settings(self) -> dict[str, Any]:
        """For the service; the servers' sockets, with no proxy between."""
        return {"database_url": self.database_url, "redis_url": self.redis.url, "api_keys_file": self.keys_file}

    @property
    def database_url(self) -> str:
        return self.postgres.url(DATABASE)

    def postgres_process(self) -> psutil.Process:
        """The postmaster of now; its children are the sessions."""
        return self._process("postgresql")

    def redis_process(self) -> psutil.Process:
        return self._process("redis")

    def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """Rows of the drill's database."""
        return fetch(self.database_url, sql, *arguments)

    def _process(self, name: str) -> psutil.Process:
        recorded = json.loads(self._record.read_text())
        return psutil.Process([pid for found, pid, _ in recorded if found == name][-1])


@contextmanager
def own_world() -> Iterator[World]:
    """Started and migrated; ended and removed when left."""
    directory = Path(tempfile.mkdtemp(prefix="drill-"))
    directory.chmod(0o711)  # PostgreSQL's account is another one than root
    record = directory / "processes.json"
    processes = Processes(record)
    world = World(directory, processes, record)
    try:
        world.postgres.start()
        assert world.redis.start(), "the drills need a Redis: valkey-server or redis-server on PATH"
        fetch(world.postgres.url(), f"CREATE DATABASE {DATABASE}")
        asyncio.run(migrate(lambda: world.database_url, wait_seconds=30))
        yield world
    finally:
        processes.stop()
        for used in (socket_directory(directory / "postgresql"), socket_directory(directory / "redis"), directory):
            shutil.rmtree(used, ignore_errors=True)


def make_directory(path: Path) -> Path:
    path.mkdir(mode=0o711)
    return path
