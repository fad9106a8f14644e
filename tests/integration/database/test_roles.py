"""Two roles: one owns the schema, the service's own may not change it. The grants are those of docs/install.md."""

import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tests.support.database import execute
from tests.support.service import ITEM, running

from inventory_api.database.migrate import migrate

INSTALL = Path(__file__).parents[3] / "docs" / "install.md"


@pytest.fixture
async def role_urls(empty_database_url: str) -> AsyncIterator[tuple[str, str]]:
    """The addresses of owner and service of a migrated database."""
    suffix = uuid.uuid4().hex[:8]
    owner, service = f"inventory_owner_{suffix}", f"inventory_{suffix}"
    (grants,) = re.findall(r"```sql\n(GRANT USAGE.*?)```", INSTALL.read_text(), re.DOTALL)
    grants = re.sub(r"TO inventory\b", f"TO {service}", grants.replace("inventory_owner", owner))
    await execute(empty_database_url, f"CREATE ROLE {owner} LOGIN; CREATE ROLE {service} LOGIN")
    await execute(empty_database_url, grants)
    owner_url, service_url = (empty_database_url.replace("postgres@", f"{role}@", 1) for role in (owner, service))
    await migrate(lambda: owner_url, wait_seconds=30)
    yield owner_url, service_url
    for role in (owner, service):
        await execute(empty_database_url, f"DROP OWNED BY {role}")
    await execute(empty_database_url, f"DROP ROLE {owner}, {service}")


async def test_a_service_that_may_not_change_the_schema_does_all_its_work(
    role_urls: tuple[str, str], redis_url: str, keys_file: Path
) -> None:
    _, url = role_urls
    async with running(database_url=url, redis_url=redis_url, api_keys_file=str(keys_file)) as service:
        assert (await service.api.put("/inventory/A-1", json=ITEM)).status_code == 201
        assert (await service.api.patch("/inventory/A-1", json={"name": "Renamed"})).status_code == 200
        line = {"sku": "A-1", "delta": 1, "reason": "found"}
        adjusted = await service.api.post(
            "/inventory/adjustments", json={"lines": [line]}, headers={"Idempotency-Key": "one"}
        )
        assert adjusted.status_code == 201
        assert len((await service.api.get("/inventory/A-1/audit")).json()["items"]) == 3
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(url, "DROP TABLE item CASCADE")
