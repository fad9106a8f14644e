"""One server for all of the contract's tests."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.database import fetch
from tests.support.process import Server, serving
from tests.support.service import ADMIN_KEY, write_keys

from inventory_api.database.migrate import migrate
from inventory_api.dev.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def contract_url(postgres: EmbeddedPostgres) -> str:
    """Of its database, which is made and has a schema."""
    url = postgres.url("contract")
    fetch(postgres.url(), "CREATE DATABASE contract")
    asyncio.run(migrate(lambda: url, wait_seconds=30))
    return url


@pytest.fixture(scope="session")
def server(contract_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory: Path = tmp_path_factory.mktemp("contract")
    keys_file = write_keys(directory / "keys.json", {"admin": ADMIN_KEY})
    storage = f"file://{directory}/storage"
    with serving(directory, database_url=contract_url, api_keys_file=keys_file, storage_url=storage) as started:
        yield started
