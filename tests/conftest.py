"""A real PostgreSQL and a real Redis for the whole session; a database of its own for each test."""

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from inventory_api.database.migrate import migrate
from inventory_api.dev.embedded import EmbeddedPostgres, EmbeddedRedis
from inventory_api.dev.processes import Processes
from tests.support.database import execute
from tests.support.s3 import S3Server, s3_server
from tests.support.service import ADMIN_KEY, Service, running, write_keys

TEMPLATE = "template_inventory"
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of its own name is made there
MEMORY_NEEDED = 4 << 30


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """Not pytest's own: as root that is closed to the account that PostgreSQL runs as."""
    directory = Path(tempfile.mkdtemp(prefix="inventory-api-test-", dir=in_memory()))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def processes(server_directory: Path) -> Iterator[Processes]:
    started = Processes(server_directory / "processes.json")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def postgres(server_directory: Path, processes: Processes) -> Iterator[EmbeddedPostgres]:
    """One server, with a migrated template that each test's database is copied from."""
    server = EmbeddedPostgres(server_directory, processes, durable=False)
    server.start()
    asyncio.run(execute(server.url(), f"CREATE DATABASE {TEMPLATE}"))
    asyncio.run(migrate(lambda: server.url(TEMPLATE), wait_seconds=30))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(server_directory: Path, processes: Processes, postgres: EmbeddedPostgres) -> Iterator[str]:
    del postgres  # Its sockets' directory is shared: it is the last to go.
    server = EmbeddedRedis(server_directory, processes)
    assert server.start(), "the tests need a Redis: valkey-server or redis-server on PATH where there is no wheel"
    yield server.url
    server.stop()


@pytest.fixture
async def empty_database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database without a schema."""
    async with _database(postgres, "template0") as url:
        yield url


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A migrated database of this test alone."""
    async with _database(postgres, TEMPLATE) as url:
        yield url


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return write_keys(tmp_path / "keys.json", {"admin": ADMIN_KEY})


@pytest.fixture
async def service(
    request: pytest.FixtureRequest, database_url: str, redis_url: str, keys_file: Path, tmp_path: Path
) -> AsyncIterator[Service]:
    """The whole application in this process, on the real servers; with what `@pytest.mark.settings` says."""
    marked = request.node.get_closest_marker("settings")
    settings: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": redis_url,
        "api_keys_file": str(keys_file),
        "storage_url": f"file://{tmp_path}/storage",
    }
    async with running(**{**settings, **(marked.kwargs if marked else {})}) as started:
        yield started


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new one, on the server that the environment names."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return s3.make_bucket(f"test-{uuid.uuid4().hex}")


def in_memory() -> Path | None:
    """Where files cost no disk: each test writes a database of its own, and a slow disk would be told as faults."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED:
        return MEMORY
    return None


@asynccontextmanager
async def _database(server: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await execute(server.url(), f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield server.url(name)
    finally:
        await execute(server.url(), f"DROP DATABASE {name} WITH (FORCE)")
