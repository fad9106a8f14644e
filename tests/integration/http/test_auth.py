"""API keys with scopes."""

import json
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, Response
from tests.support.service import ADMIN_KEY, Service, error_of, write_keys
from tests.support.waiting import eventually

from inventory_api.http.auth import SCOPES
from inventory_api.http.routing import Route, RouteTable, requires

OPEN = {"/openapi.json", "/system/live", "/system/startup", "/system/ready"}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {ADMIN_KEY}", "Bearer \xff"])
async def test_without_a_valid_key_the_answer_is_401_with_a_challenge(service: Service, header: str | None) -> None:
    headers = {b"Authorization": header.encode("latin-1")} if header is not None else {}
    response = await service.anonymous.get("/inventory/A-1", headers=headers)
    assert (response.status_code, error_of(response)["type"]) == (401, "UNAUTHENTICATED")
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_of_two_keys_neither_counts(service: Service) -> None:
    headers = [("Authorization", f"Bearer {key}") for key in (ADMIN_KEY, "another")]
    for sent in (headers, headers[::-1]):
        assert (await service.anonymous.get("/inventory/A-1", headers=sent)).status_code == 401


async def test_each_route_asks_for_its_scopes_and_no_others(service: Service, keys_file: Path) -> None:
    """Each route of the API x each scope: with all scopes but one, 403 where it is one of the route's, and else not."""
    table: RouteTable = service.app.api.state.route_table
    routes = [(method, path, route) for method, path, route in table.operations() if isinstance(route, Route)]
    asked = set[str]()
    for scope in SCOPES:
        write_keys(keys_file, {"admin": ADMIN_KEY}, [other for other in SCOPES if other != scope])
        await _reload(service)
        for method, path, route in routes:
            response = await service.api.request(method, path.replace("{sku}", "A-1").replace("{code}", "MAIN"))
            assert (response.status_code == 403) == (scope in route.required_scopes), (method, path, scope)
            if response.status_code == 403:
                assert error_of(response)["type"] == "FORBIDDEN"
                assert scope in error_of(response)["message"]
                asked.add(scope)
    assert asked == {scope for _, _, route in routes for scope in route.required_scopes}


async def test_every_route_but_the_open_ones_declares_a_scope(service: Service) -> None:
    """And that of a signed URL, where the storage is a directory."""
    table: RouteTable = service.app.api.state.route_table
    without = {path for _, path, route in table.operations() if not hasattr(route, "required_scopes")}
    assert without == {*OPEN, "/attachments/uploads/{id}/content"}


def test_a_route_without_a_scope_cannot_be_made() -> None:
    async def endpoint() -> Response:
        return Response()

    with pytest.raises(TypeError, match="declares no scope"):
        Route("/x", endpoint)
    assert Route("/x", requires("audit:read")(endpoint)).required_scopes == ("audit:read",)


def test_a_dependency_that_would_run_in_a_thread_cannot_be_used() -> None:
    """A hop to a thread and back costs more than such a dependency does."""

    def nested() -> None: ...

    async def dependency(_: Annotated[None, Depends(nested)]) -> None: ...

    async def endpoint(_: Annotated[None, Depends(dependency)]) -> Response:
        return Response()

    with pytest.raises(TypeError, match="nested would run in a thread"):
        Route("/x", requires("audit:read")(endpoint))


async def test_an_expired_key_is_refused(service: Service, keys_file: Path) -> None:
    entry = json.loads(keys_file.read_text())["keys"][0]
    for seconds, status in ((-1, 401), (60, 404)):
        expires = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        keys_file.write_text(json.dumps({"keys": [{**entry, "expires_at": expires}]}))
        await _reload(service)
        assert (await service.api.get("/inventory/absent")).status_code == status


async def test_a_rotated_file_counts_without_a_restart(service: Service, keys_file: Path) -> None:
    """As Kubernetes does it: another file under the same name."""
    new = write_keys(keys_file.with_suffix(".new"), {"admin": "another key"})
    os.replace(new, keys_file)

    async def refused() -> bool:
        return (await service.api.get("/inventory/absent")).status_code == 401

    await eventually(refused)
    headers = {"Authorization": "Bearer another key"}
    assert (await service.anonymous.get("/inventory/absent", headers=headers)).status_code == 404


@pytest.mark.parametrize("content", ["", "{", '{"keys": [{}]}', '{"keys": [{"id": "a", "sha256": "x", "scopes": []}]}'])
async def test_a_broken_file_leaves_the_old_keys_valid_and_is_said(
    service: Service, keys_file: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    keys_file.write_text(content)
    with caplog.at_level(logging.ERROR):
        await _reload(service)
        assert (await service.api.get("/inventory/absent")).status_code == 404
        await _reload(service)
    assert await service.metric("api_keys_last_reload_successful") == 0
    assert len([r for r in caplog.records if "old keys stay valid" in r.message]) == 1
    write_keys(keys_file, {"admin": ADMIN_KEY})
    await _reload(service)
    assert await service.metric("api_keys_last_reload_successful") == 1


async def _reload(service: Service) -> None:
    keys: Any = service.app.api.state.resources.api_keys
    keys._checked = float("-inf")
    keys.refresh()


async def test_a_key_may_be_any_text(service: Service, keys_file: Path) -> None:
    write_keys(keys_file, {"admin": "schl\u00fcssel"})
    await _reload(service)
    headers = {b"Authorization": "Bearer schl\u00fcssel".encode()}
    assert (await service.anonymous.get("/inventory/absent", headers=headers)).status_code == 404
