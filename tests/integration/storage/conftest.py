"""Both kinds of storage."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.objects import TRANSFERS

from inventory_api.storage.address import FileAddress, S3Address
from inventory_api.storage.create import create
from inventory_api.storage.model import Storage


@pytest.fixture
async def s3_storage(bucket: str) -> AsyncIterator[Storage]:
    storage = create(S3Address(bucket, "of/tests/"), TRANSFERS)
    await storage.open()
    yield storage
    await storage.close()


@pytest.fixture
async def file_storage(tmp_path: Path) -> AsyncIterator[Storage]:
    storage = create(FileAddress(tmp_path / "storage"), TRANSFERS)
    await storage.open()
    yield storage
    await storage.close()


@pytest.fixture(params=["files", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """One after the other."""
    chosen: Storage = request.getfixturevalue("file_storage" if request.param == "files" else "s3_storage")
    return chosen
