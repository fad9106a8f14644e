"""Requests of all kinds at once: what is done with the service, and what is done wrongly."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.support.attaching import PNG, image, sha256
from tests.support.process import Server
from tests.support.service import ADMIN_KEY, AUTHORIZATION, ITEM, write_keys
from tests.support.waiting import wait_until

from .load import Request

GREEDY_KEY, READING_KEY = "key-of-one-who-asks-too-often", "key-of-one-who-may-only-read"
# Of each key.
RATE_LIMIT = "80/second"
STOCK = 1_000_000


def keys(path: Path) -> Path:
    """Of the admin, of one who asks too often, and of one who may only read."""
    write_keys(path, {"admin": ADMIN_KEY, "greedy": GREEDY_KEY})
    reading = write_keys(path.with_name("reading.json"), {"reading": READING_KEY}, ["inventory:read"])
    both = [json.loads(file.read_text())["keys"] for file in (path, reading)]
    path.write_text(json.dumps({"keys": [*both[0], *both[1]]}))
    return path


def stock(server: Server, count: int) -> list[str]:
    """Items of which there is enough for all orders; tells their skus."""
    skus = [f"SOLD-{number}" for number in range(count)]
    for sku in skus:
        item = {**ITEM, "quantity": STOCK}
        httpx.put(f"{server.api}/inventory/{sku}", json=item, headers=AUTHORIZATION).raise_for_status()
    return skus


def requests(skus: Sequence[str]) -> list[Request]:
    """For a load: reads, changes and sales, and some that are refused."""
    run = uuid.uuid4()
    sold = json.dumps({"lines": [{"sku": skus[0], "quantity": 1}]})
    reused = {**AUTHORIZATION, "Idempotency-Key": f"{run}-again"}
    return [
        *(Request("read", "GET", f"/inventory/{sku}", weight=3) for sku in skus),
        Request("list", "GET", "/inventory?limit=20", weight=4),
        Request("patch", "PATCH", f"/inventory/{skus[1]}", '{"name": "Name {n}"}', weight=4),
        Request("put", "PUT", "/inventory/NEW-{n}", json.dumps(ITEM), weight=2),
        Request("order", "POST", "/orders", sold, weight=4, headers=_keyed(f"{run}-order-{{n}}")),
        Request("order again", "POST", "/orders", sold, headers=reused),
        Request("reserve", "POST", "/reservations", sold, weight=3, headers=_keyed(f"{run}-hold-{{n}}")),
        Request("sold out", "POST", "/orders", sold.replace(": 1}", f": {STOCK * 2}}}"), headers=_keyed("{n}-much")),
        Request("audit", "GET", f"/inventory/{skus[1]}/audit"),
        Request("nowhere", "GET", "/nowhere/{n}"),
        Request("no item", "GET", "/inventory/NONE-{n}"),
        Request("not valid", "PUT", "/inventory/BAD-{n}", '{"quantity": "ten"}'),
        Request("no key", "GET", "/inventory", headers={}),
        Request("too small a scope", "PUT", "/inventory/X-{n}", json.dumps(ITEM), headers=_bearer(READING_KEY)),
    ]


def greedy() -> list[Request]:
    """By a key of its own."""
    return [Request("greedy", "GET", "/inventory/NONE", headers=_bearer(GREEDY_KEY))]


def files(server: Server, sku: str, storage: Path) -> None:
    """One is uploaded and fetched, one is not what it says, one is signed for, and one is lost by the storage."""
    content = image()
    with httpx.Client(base_url=server.api, headers=AUTHORIZATION) as client:
        path = f"/inventory/{sku}/attachments"
        kept = wait_until(lambda: _stored(client, path, content))
        client.get(f"/attachments/{kept['id']}/content")
        client.post(path, files={"file": ("a.png", b"no picture", PNG)})
        promise = {"filename": "b.png", "content_type": PNG, "size": len(content), "sha256": sha256(content)}
        owner = {"owner": {"type": "item", "id": sku}}
        client.post("/attachments/uploads", json={**owner, **promise})
        for stored in [file for file in storage.rglob("*") if file.is_file() and not file.name.startswith(".")]:
            stored.unlink()
        client.get(f"/attachments/{kept['id']}/content")


def _stored(client: httpx.Client, path: str, content: bytes) -> dict[str, Any]:
    """The attachment; nothing where the service does not take it yet."""
    answer = client.post(path, files={"file": ("a.png", content, PNG)})
    return dict(answer.json()) if answer.status_code == 201 else {}


def _keyed(key: str) -> dict[str, str]:
    return {**AUTHORIZATION, "Idempotency-Key": key}


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
