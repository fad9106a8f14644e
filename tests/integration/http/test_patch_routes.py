"""Every PATCH of the document changes the field that is sent and no other, and the audit says so.

A new PATCH route fails here until it has its case.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.service import Service

# Of every resource; a change of any field changes them.
DERIVED = {"version", "updated_at"}


@dataclass(frozen=True)
class Case:
    """Where one resource is, what it is called in the audit, and for each field another value.

    `{id}` is that of the only one in its list.
    """

    path: str
    resource: str
    values: dict[str, Any]
    # Fields that may be sent, but never change.
    immutable: frozenset[str] = frozenset()
    follows: dict[str, set[str]] = field(default_factory=dict)


CASES = {
    "/inventory/{sku}": Case(
        "/inventory/A-1",
        "item:A-1",
        {
            "name": "Nut",
            "quantity": 7,
            "warehouse_location": "EAST",
            "is_discontinued": True,
            "low_stock_threshold": 3,
            "attributes": {"steel": "10.9"},
        },
        immutable=frozenset({"sku"}),
        follows={"quantity": {"available", "levels"}},
    ),
    "/locations/{code}": Case("/locations/EAST", "location:EAST", {"name": "Eastern", "active": False}),
    "/webhooks/endpoints/{id}": Case(
        "/webhooks/endpoints/{id}",
        "webhook_endpoint:{id}",
        {
            "url": "https://partner.example/other",
            "events": ["order.cancelled"],
            "description": None,
            "status": "disabled",
        },
        follows={"status": {"disabled_reason"}},
    ),
}


@pytest.fixture
async def document(service: Service) -> dict[str, Any]:
    await service.put("A-1")
    await service.api.post("/locations", json={"code": "EAST", "name": "East"})
    endpoint = {"url": "https://partner.example/hook", "events": ["order.created"], "description": "Shop"}
    (await service.api.post("/webhooks/endpoints", json=endpoint)).raise_for_status()
    found: dict[str, Any] = (await service.anonymous.get("/openapi.json")).json()
    return found


async def test_each_field_of_each_patch_is_changed_alone_and_audited_alone(
    service: Service, document: dict[str, Any]
) -> None:
    routes = {path for path, operations in document["paths"].items() if "patch" in operations}
    assert routes == set(CASES)
    for path, case in CASES.items():
        body = document["paths"][path]["patch"]["requestBody"]["content"]["application/json"]["schema"]
        schema = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        assert schema["properties"].keys() == case.values.keys() | case.immutable
        assert schema["additionalProperties"] is False
        assert "required" not in schema
        for name, value in case.values.items():
            await _patch_alone(service, case, name, value)


async def _patch_alone(service: Service, case: Case, name: str, value: Any) -> None:
    path, resource = case.path, case.resource
    if "{id}" in path:
        (only,) = (await service.api.get(path.removesuffix("/{id}"))).json()["items"]
        path, resource = path.format(id=only["id"]), resource.format(id=only["id"])
    before = await service.api.get(path)
    headers = {"If-Match": before.headers["ETag"]}
    after = await service.api.patch(path, json={name: value}, headers=headers)
    assert after.status_code == 200, after.text
    changed = {key for key, old in before.json().items() if after.json()[key] != old}
    assert changed == {name} | DERIVED | case.follows.get(name, set())
    assert after.json()[name] == value
    (entry,) = (await service.api.get("/audit", params={"resource": resource, "limit": 1})).json()["items"]
    assert entry["changes"] == {name: {"before": before.json()[name], "after": value}}
    assert entry["request_id"] == after.headers["X-Request-ID"]
