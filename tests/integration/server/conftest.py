"""What every test of a served application needs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.process import Server, serving


@pytest.fixture
def settings(database_url: str, redis_url: str, keys_file: Path) -> dict[str, Any]:
    return {"database_url": database_url, "redis_url": redis_url, "api_keys_file": keys_file}


@pytest.fixture
def server(settings: dict[str, Any], tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, **settings) as started:
        yield started
