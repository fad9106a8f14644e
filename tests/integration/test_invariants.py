"""What always holds of stock, each broken on purpose: the service, or else the database, does not let it happen."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tests.support.attaching import PNG, image, send, sha256
from tests.support.database import execute, fetch
from tests.support.selling import assert_accounted, post
from tests.support.service import ITEM, Service, error_of

ADJUSTMENT = {"lines": [{"sku": "A-1", "delta": -3, "reason": "sold"}]}
SOLD = {"lines": [{"sku": "A-1", "quantity": 3}]}
KEY = {"Idempotency-Key": "k"}
STATE = """
SELECT (SELECT jsonb_agg(l ORDER BY sku, location) FROM stock_level l), (SELECT count(*) FROM stock_movement),
       (SELECT count(*) FROM audit_entry), (SELECT count(*) FROM idempotency_record),
       (SELECT count(*) FROM sales_order), (SELECT count(*) FROM sales_order_line), (SELECT count(*) FROM pgqueuer)
"""
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken on purpose'; END $$;
CREATE {kind} TRIGGER broken {when} ON {table} {deferred} FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.fixture(autouse=True)
async def _item(service: Service) -> None:
    (await service.put("A-1")).raise_for_status()


async def state(url: str) -> list[Any]:
    return await asyncio.to_thread(fetch, url, STATE)


@pytest.mark.parametrize("levels", ["on_hand = -1", "reserved = 11", "reserved = -1"])
async def test_the_database_takes_no_level_below_zero_or_below_what_is_reserved(database_url: str, levels: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="stock_level_reserved_fits"):
        await execute(database_url, f"UPDATE stock_level SET {levels}")  # noqa: S608 -- constants


@pytest.mark.parametrize(
    "table", ["stock_level", "stock_movement", "sales_order", "audit_entry", "pgqueuer", "idempotency_record"]
)
@pytest.mark.parametrize("moment", ["at its statement", "at COMMIT"])
async def test_state_ledger_audit_and_key_are_made_together_or_not_at_all(
    service: Service, database_url: str, table: str, moment: str
) -> None:
    """And the answer comes after COMMIT: what fails there was not answered by a 201 before."""
    event = "UPDATE" if table == "stock_level" else "INSERT"
    deferred = moment == "at COMMIT"
    kind, constraint = ("CONSTRAINT", "DEFERRABLE INITIALLY DEFERRED") if deferred else ("", "")
    when = f"AFTER {event}" if deferred else f"BEFORE {event}"
    before = await state(database_url)
    await execute(database_url, REFUSE.format(kind=kind, when=when, table=table, deferred=constraint))
    failed = await service.api.post("/orders", json=SOLD, headers=KEY)
    assert (failed.status_code, error_of(failed)["type"]) == (500, "INTERNAL_FAILURE")
    assert await state(database_url) == before
    await execute(database_url, f"DROP TRIGGER broken ON {table}; DROP FUNCTION refuse()")
    assert (await service.api.post("/orders", json=SOLD, headers=KEY)).status_code == 201
    await assert_accounted(database_url)


@pytest.mark.parametrize("table", ["stock_movement", "audit_entry"])
@pytest.mark.parametrize("change", ["UPDATE {} SET actor = 'nobody'", "DELETE FROM {}", "TRUNCATE {}"])
async def test_what_was_written_to_the_ledger_and_to_the_audit_stays(
    database_url: str, table: str, change: str
) -> None:
    kept = "never changed or removed|not removed before they are 90 days old"
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=kept):
        await execute(database_url, change.format(table))


@dataclass(frozen=True)
class Write:
    """One that succeeds."""

    path: str
    body: Mapping[str, Any] | None
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Any] | None = None


EAST = {"code": "EAST", "name": "East"}
DEAD_LETTERS = (
    "INSERT INTO pgqueuer (entrypoint, priority, status) VALUES ('event', 0, 'failed'), ('event', 0, 'failed')"
)
ENDPOINT = {"url": "https://partner.example/hook", "events": ["order.created"]}
ONE = {"sku": "A-1", "quantity": 1, "location": "MAIN"}
PICTURE = image()
FILE = {"file": ("a.png", PICTURE, PNG)}
UPLOAD = {
    "owner": {"type": "item", "id": "A-1"}, "filename": "a.png", "content_type": PNG, "size": len(PICTURE),
    "sha256": sha256(PICTURE),
}  # fmt: skip
WRITES = {
    "PUT /inventory/{sku}": Write("/inventory/B-2", ITEM),
    "PATCH /inventory/{sku}": Write("/inventory/A-1", {"name": "Nut"}),
    "POST /locations": Write("/locations", EAST),
    "PATCH /locations/{code}": Write("/locations/EAST", {"name": "Eastern"}),
    "POST /inventory/adjustments": Write("/inventory/adjustments", ADJUSTMENT, KEY),
    "POST /inventory/transfers": Write(
        "/inventory/transfers",
        {"lines": [{"sku": "A-1", "from": "MAIN", "to": "EAST", "quantity": 1}]},
        KEY | {"Idempotency-Key": "t"},
    ),
    "POST /reservations": Write("/reservations", {"lines": [ONE]}, {"Idempotency-Key": "r"}),
    "POST /reservations/{id}/extend": Write("/reservations/{id}/extend", {"ttl_seconds": 9}),
    "POST /reservations/{id}/release": Write("/reservations/{id}/release", None),
    "POST /orders": Write("/orders", {"lines": [ONE]}, {"Idempotency-Key": "o"}),
    "POST /orders/{id}/fulfill": Write("/orders/{id}/fulfill", None),
    "POST /orders/{id}/cancel": Write("/orders/{id}/cancel", None),
    "POST /jobs/dead-letters/{id}/replay": Write("/jobs/dead-letters/{first}/replay", None),
    "DELETE /jobs/dead-letters/{id}": Write("/jobs/dead-letters/{second}", None),
    "POST /webhooks/endpoints": Write("/webhooks/endpoints", ENDPOINT),
    "PATCH /webhooks/endpoints/{id}": Write("/webhooks/endpoints/{endpoint}", {"description": "Shop"}),
    "POST /webhooks/endpoints/{id}/rotate-secret": Write("/webhooks/endpoints/{endpoint}/rotate-secret", None),
    "POST /webhooks/endpoints/{id}/test": Write("/webhooks/endpoints/{endpoint}/test", None),
    "POST /webhooks/deliveries/{id}/redeliver": Write("/webhooks/deliveries/{delivery}/redeliver", None),
    "DELETE /webhooks/endpoints/{id}": Write("/webhooks/endpoints/{endpoint}", None),
    "POST /orders/{id}/attachments": Write("/orders/{id}/attachments", None, files=FILE),
    "POST /inventory/{sku}/attachments": Write("/inventory/A-1/attachments", None, files=FILE),
    "POST /attachments/uploads": Write("/attachments/uploads", UPLOAD),
    "POST /attachments/{id}/complete": Write("/attachments/{upload}/complete", None),
    "DELETE /attachments/{id}": Write("/attachments/{upload}", None),
}


async def test_no_write_of_the_document_is_without_its_audit_row(service: Service, database_url: str) -> None:
    """A new one fails here until it is among them."""
    await execute(database_url, DEAD_LETTERS)
    document = (await service.anonymous.get("/openapi.json")).json()
    routes = [f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations]
    assert {route for route in routes if not route.startswith("GET ")} == set(WRITES)
    endpoint = (await service.api.post("/webhooks/endpoints", json=ENDPOINT)).json()["id"]
    delivery = (await service.api.post(f"/webhooks/endpoints/{endpoint}/test")).json()["id"]
    first, second = [str(one["id"]) for one in (await service.api.get("/jobs/dead-letters")).json()["items"]]
    signed = (await service.api.post("/attachments/uploads", json=UPLOAD)).json()
    (await send(service, signed, PICTURE)).raise_for_status()
    made = {"endpoint": endpoint, "delivery": delivery, "first": first, "second": second, "upload": signed["id"]}
    for route, write in WRITES.items():
        path = write.path
        for name, value in made.items():
            path = path.replace(f"{{{name}}}", value)
        if "{id}" in path:
            collection = path.partition("/{")[0]
            path = path.format(id=(await post(service, collection, {"lines": [ONE]})).json()["id"])
        answer = await service.api.request(
            route.split()[0], path, json=write.body, headers=write.headers, files=write.files
        )
        assert answer.is_success, answer.text
        query = {"request_id": answer.headers["X-Request-ID"]}
        entries = (await service.api.get("/audit", params=query)).json()["items"]
        assert {entry["actor"] for entry in entries} == {"key:admin"}, route


async def test_times_are_those_of_the_database(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of this process is a day ahead."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    made = [
        (await service.put("B-2")).json(),
        (await service.patch("A-1", {"name": "Nut"})).json(),
        (await service.api.post("/locations", json=EAST)).json(),
        *(await service.api.post("/inventory/adjustments", json=ADJUSTMENT, headers=KEY)).json()["movements"],
        *await service.audit("A-1"),
    ]
    times = [datetime.fromisoformat(one[name]) for one in made for name in ("created_at", "updated_at") if name in one]
    assert len(times) >= 9
    assert max(times) < datetime.now(UTC) + timedelta(hours=1)
