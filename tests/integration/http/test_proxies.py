"""Whose word counts for the address of a client."""

import logging
from pathlib import Path

import pytest
from tests.support.service import running

FORWARDED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.1.2.3"}


@pytest.mark.parametrize(
    ("trusted", "address"),
    [("", "127.0.0.1"), ("192.0.2.0/24", "127.0.0.1"), ("127.0.0.1,10.0.0.0/8", "198.51.100.7")],
)
async def test_x_forwarded_for_is_believed_as_far_as_the_proxies_that_are_trusted(
    database_url: str, keys_file: Path, caplog: pytest.LogCaptureFixture, trusted: str, address: str
) -> None:
    """From the right: the first address that is no trusted proxy; what stands left of it anybody can write."""
    async with running(database_url=database_url, api_keys_file=keys_file, trusted_proxies=trusted) as service:
        with caplog.at_level(logging.INFO, "inventory_api.access"):
            await service.api.get("/inventory/A-1", headers=FORWARDED)
    (line,) = [record for record in caplog.records if record.name == "inventory_api.access"]
    assert vars(line)["client.address"] == address
