"""A real S3 server for the session, a bucket of its own for each test, and both kinds of storage."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.s3 import S3Server, s3_server

from inventory_api.storage.address import FileAddress, S3Address
from inventory_api.storage.create import create
from inventory_api.storage.model import Storage


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


@pytest.fixture
async def s3_storage(bucket: str) -> AsyncIterator[Storage]:
    storage = create(S3Address(bucket, "of/tests/"))
    await storage.open()
    yield storage
    await storage.close()


@pytest.fixture
async def file_storage(tmp_path: Path) -> AsyncIterator[Storage]:
    storage = create(FileAddress(tmp_path / "storage"))
    await storage.open()
    yield storage
    await storage.close()


@pytest.fixture(params=["files", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """One after the other."""
    chosen: Storage = request.getfixturevalue("file_storage" if request.param == "files" else "s3_storage")
    return chosen
