"""The start of a server: what is wrong is said, and what is missing is waited for."""

import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.process import Server, clean_environment, free_ports, serving
from tests.support.waiting import wait_until


def test_the_start_survives_a_database_that_is_down(keys_file: Path, tmp_path: Path) -> None:
    url = f"postgresql://postgres@/x?host={tmp_path}"
    with serving(tmp_path, ready=False, database_url=url, api_keys_file=keys_file) as server:
        wait_until(lambda: server.status() == "unready")
        assert httpx.get(f"{server.management}/system/live").status_code == 200
        assert server.process.poll() is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("INVENTORY_POOL_MAXX", "1", "INVENTORY_POOL_MAXX is not a setting; did you mean INVENTORY_POOL_MAX?"),
        ("INVENTORY_POOL_MAX", "many", "INVENTORY_POOL_MAX: Input should be a valid integer"),
        ("INVENTORY_DATABASE_URL", "", "INVENTORY_DATABASE_URL is not set"),
        ("INVENTORY_DATABASE_URL", "mysql://x", "INVENTORY_DATABASE_URL: must begin with postgresql:// or postgres://"),
        ("INVENTORY_DATABASE_URL", "postgresql://h:99999/x", "INVENTORY_DATABASE_URL: a port must be a number"),
        ("INVENTORY_REDIS_URL_FILE", "/absent", "INVENTORY_REDIS_URL_FILE: /absent: No such file or directory"),
        ("INVENTORY_REDIS_URL", "http://x", "INVENTORY_REDIS_URL: must begin with redis:// or rediss:// or unix://"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(
    tmp_path: Path, settings: dict[str, Any], name: str, value: str, message: str
) -> None:
    named = {f"INVENTORY_{key.upper()}": found for key, found in settings.items()} | {name: value}
    if name.endswith("_FILE"):
        del named[name.removesuffix("_FILE")]
    command = [sys.executable, "-m", "inventory_api.cli", "serve"]
    server = Server(command, clean_environment(named), tmp_path, *free_ports(2))
    assert server.wait(30) == 2
    server.kill_all()
    assert message in server.stderr
    assert len(server.stderr.splitlines()) == 1
