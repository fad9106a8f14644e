"""The application in this process, over its ASGI interface."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from inventory_api import settings as settings_module
from inventory_api.app import Application, create_app
from inventory_api.http.auth import SCOPES
from tests.support.waiting import eventually

ADMIN_KEY = "key-of-the-tests"
AUTHORIZATION = {"Authorization": f"Bearer {ADMIN_KEY}"}
ITEM: dict[str, Any] = {
    "name": "Bolt",
    "quantity": 10,
    "warehouse_location": "MAIN",
    "is_discontinued": False,
    "low_stock_threshold": None,
    "attributes": {"steel": "8.8"},
}


@dataclass(frozen=True)
class Service:
    """`api` has the admin's key; `anonymous` has none; `management` is the other port."""

    app: Application
    api: httpx.AsyncClient
    anonymous: httpx.AsyncClient
    management: httpx.AsyncClient

    async def put(self, sku: str, headers: Mapping[str, str] | None = None, **fields: Any) -> httpx.Response:
        return await self.api.put(f"/inventory/{sku}", json={**ITEM, **fields}, headers=headers)

    async def patch(self, sku: str, body: Any, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.api.patch(f"/inventory/{sku}", json=body, headers=named)

    async def audit(self, sku: str) -> list[dict[str, Any]]:
        return list((await self.api.get(f"/inventory/{sku}/audit")).raise_for_status().json()["items"])

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples with that name and those labels, 0 where there is none."""
        lines = (await self.management.get("/metrics")).text.splitlines()
        named = [line for line in lines if line.partition("{")[0] == name]
        chosen = [line for line in named if all(f'{key}="{value}"' in line for key, value in labels.items())]
        return sum(float(line.rpartition(" ")[2]) for line in chosen)


def write_keys(path: Path, keys: Mapping[str, str], scopes: Sequence[str] = SCOPES) -> Path:
    entries = [
        {"id": name, "sha256": hashlib.sha256(key.encode()).hexdigest(), "scopes": list(scopes)}
        for name, key in keys.items()
    ]
    path.write_text(json.dumps({"keys": entries}))
    return path


@asynccontextmanager
async def running(*, wait_ready: bool = True, **values: Any) -> AsyncIterator[Service]:
    """The application between start-up and shutdown."""
    settings = settings_module.load({f"INVENTORY_{name.upper()}": str(value) for name, value in values.items()})
    app = create_app(settings)
    async with app.api.router.lifespan_context(app.api):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://api:8000", headers=AUTHORIZATION) as api,
            httpx.AsyncClient(transport=transport, base_url="http://api:8000") as anonymous,
            httpx.AsyncClient(transport=transport, base_url="http://api:9000") as management,
        ):
            service = Service(app, api, anonymous, management)
            if wait_ready:
                await eventually(lambda: is_ready(service))
            yield service


async def is_ready(service: Service) -> bool:
    return (await service.management.get("/system/ready")).status_code == 200


def record_spans(app: Application) -> InMemorySpanExporter:
    """Every span of the application from now on; its sampler must not be off."""
    exporter = InMemorySpanExporter()
    app.api.state.resources.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of a response, which must have the one shape and the id of its header."""
    body = response.json()
    error: dict[str, Any] = body["error"]
    assert set(error) == {"type", "message", "request_id", "trace_id", "details"}
    assert error["request_id"] == response.headers["X-Request-ID"]
    return error
