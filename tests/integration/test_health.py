"""Readiness follows the dependencies; liveness does not."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.service import ADMIN_KEY, Service, error_of, running, write_keys
from tests.support.waiting import eventually

from inventory_api.database.migrate import known_migrations, migrate
from inventory_api.dev.embedded import EmbeddedPostgres
from inventory_api.dev.processes import Processes


@pytest.fixture
def server(server_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A PostgreSQL of this test alone, to be stopped and started."""
    directory = server_directory / "own"
    directory.mkdir(mode=0o711)
    processes = Processes(directory / "processes.json")
    yield EmbeddedPostgres(directory, processes, durable=False)
    processes.stop()


async def _readiness(service: Service) -> Any:
    return (await service.management.get("/system/ready")).json()


async def test_readiness_follows_the_database_and_its_schema_and_liveness_never_fails(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    """The start survives a database that is down; the schema counts too; a stop and a start need no restart."""
    keys = write_keys(tmp_path / "keys.json", {"admin": ADMIN_KEY})
    async with running(wait_ready=False, database_url=server.url(), api_keys_file=keys) as service:

        async def status_is(wanted: str) -> bool:
            body = await _readiness(service)
            assert (await service.anonymous.get("/system/live")).status_code == 200
            return bool(body["status"] == wanted)

        await eventually(lambda: status_is("unready"))
        assert (await service.anonymous.get("/system/startup")).status_code == 200
        down = await service.api.get("/inventory/A-1")
        assert (down.status_code, error_of(down)["type"]) == (503, "DEPENDENCY_UNAVAILABLE")
        assert await service.metric("health_ready") == 0

        server.start()

        async def only_the_schema_is_missing() -> bool:
            checks = (await _readiness(service))["checks"]
            return bool(checks["database"]["status"] == "ok" and checks["schema"]["status"] == "failed")

        await eventually(only_the_schema_is_missing)
        await migrate(server.url, wait_seconds=10)
        await eventually(lambda: status_is("ready"))
        assert await service.metric("health_ready") == 1
        assert (await service.put("A-1")).status_code == 201

        server.stop()
        await eventually(lambda: status_is("unready"))
        server.start()
        await eventually(lambda: status_is("ready"))
        assert (await service.api.get("/inventory/A-1")).status_code == 200


async def test_redis_is_degraded_and_not_unready(database_url: str, keys_file: Path, tmp_path: Path) -> None:
    absent = f"unix://{tmp_path}/no.sock"
    async with running(database_url=database_url, redis_url=absent, api_keys_file=keys_file) as service:
        body = await _readiness(service)
        assert body["status"] == "degraded"
        assert body["checks"]["redis"] == {**body["checks"]["redis"], "status": "failed", "required": False}
        assert (await service.put("A-1")).status_code == 201
        assert await service.metric("health_check_up", check="redis") == 0
        assert await service.metric("health_ready") == 1


async def test_what_is_required_is_a_setting(database_url: str, keys_file: Path, tmp_path: Path) -> None:
    values = {"database_url": database_url, "redis_url": f"unix://{tmp_path}/no.sock", "api_keys_file": keys_file}
    async with running(wait_ready=False, required_checks="redis", **values) as service:

        async def unready() -> bool:
            return bool((await _readiness(service))["status"] == "unready")

        await eventually(unready)


async def test_not_ready_is_the_error_shape_with_status_and_checks_beside(service: Service) -> None:
    service.app.drain.begin()
    response = await service.management.get("/system/ready")
    assert response.status_code == 503
    body = response.json()
    assert body["error"]["type"] == "NOT_READY"
    assert body["status"] == "draining"
    assert set(body["checks"]) == {"database", "schema", "redis", "storage"}
    assert (await service.management.get("/system/live")).status_code == 200
    assert (await service.api.get("/inventory/absent")).headers["Connection"] == "close"


async def test_the_api_port_tells_the_state_and_no_details(service: Service) -> None:
    assert (await service.anonymous.get("/system/ready")).json() == {"status": "ready"}
    assert (await service.anonymous.get("/system/info")).status_code == 404


async def test_info_has_no_secret(service: Service, database_url: str) -> None:
    response = await service.management.get("/system/info")
    assert response.json()["schema"] == known_migrations()[-1]
    assert database_url not in response.text
    assert "database_url" not in response.json()["settings"]
