"""`inventory-api verify-ledger`, as a command."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.database import fetch
from tests.support.process import MODULE, clean_environment
from tests.support.service import Service


async def _verify(database_url: str, directory: Path) -> tuple[int, list[dict[str, Any]]]:
    environment = clean_environment({"INVENTORY_DATABASE_URL": database_url})
    command = [*MODULE, "verify-ledger"]
    ran = await asyncio.to_thread(
        subprocess.run, command, env=environment, cwd=directory, capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.fixture(autouse=True)
async def _stock(service: Service) -> None:
    for sku in ("A-1", "B-2"):
        (await service.put(sku)).raise_for_status()


async def test_levels_that_are_the_sum_of_their_movements_are_in_order(database_url: str, tmp_path: Path) -> None:
    status, (line,) = await _verify(database_url, tmp_path)
    assert (status, line["message"]) == (0, "levels that differ from the ledger: 0")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE stock_level SET on_hand = 11 WHERE sku = 'A-1'", ("A-1", 11, 10)),
        ("UPDATE stock_level SET reserved = 3 WHERE sku = 'B-2'", ("B-2", 10, 10)),
        (
            "ALTER TABLE stock_movement DISABLE TRIGGER USER; DELETE FROM stock_movement WHERE sku = 'A-1'",
            ("A-1", 10, 0),
        ),
    ],
)
async def test_one_that_is_not_is_named_and_the_status_says_so(
    database_url: str, tmp_path: Path, damage: str, told: tuple[str, int, int]
) -> None:
    for statement in damage.split("; "):
        await asyncio.to_thread(fetch, database_url, statement)
    status, (line, _) = await _verify(database_url, tmp_path)
    assert status == 1
    assert (line["sku"], line["on_hand"], line["ledger_on_hand"]) == told


async def test_a_database_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    status, (line,) = await _verify(f"postgresql://postgres@/x?host={tmp_path}", tmp_path)
    assert (status, line["level"]) == (3, "error")
    assert "the ledger cannot be read" in line["message"]
