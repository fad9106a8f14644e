"""Webhooks in this process, on a real database: what events are told of, and to whom."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from opentelemetry import trace

from inventory_api.jobs.handlers import Handlers, RetentionDays
from inventory_api.jobs.model import EVENT
from inventory_api.telemetry.metrics import Metrics
from inventory_api.webhooks.deliverer import Deliverer
from inventory_api.webhooks.dialling import CheckedBackend
from inventory_api.webhooks.resolving import Resolver
from inventory_api.webhooks.rules import Rules
from inventory_api.webhooks.schedule import Schedule
from inventory_api.webhooks.sending import Sender
from tests.support.service import Service
from tests.support.waiting import eventually
from tests.support.working import database, working

RETENTION = RetentionDays(audit=100, reservations=5, job_log=7, webhooks=30, attachments=30)
ENDPOINTS = "/webhooks/endpoints"
# Two tries, the second at once.
QUICK_DELAYS = (0.0, 0.0)


@dataclass
class Delivering:
    """One worker's part of it; `metrics` are its own."""

    deliverer: Deliverer
    metrics: Metrics
    task: asyncio.Task[None]

    def outcome(self, name: str) -> float:
        return self.metrics.registry.get_sample_value("webhook_deliveries_total", {"outcome": name}) or 0.0


@asynccontextmanager
async def delivering(
    url: str,
    delays: Sequence[float] = QUICK_DELAYS,
    *,
    at_once: int = 16,
    heartbeat_seconds: float = 30,
    rules: Rules | None = None,
    backend: CheckedBackend | None = None,
    tracer: trace.Tracer | None = None,
) -> AsyncIterator[Delivering]:
    """Events are told of, and what is due is sent, until left; to this machine too, unless the rules say otherwise."""
    rules = rules or Rules(admit_loopback=True, schedule=Schedule(delays))
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(database(url, metrics, tracer))
        resolver = await stack.enter_async_context(Resolver())
        backend = backend or CheckedBackend(resolver, admit_loopback=rules.admit_loopback)
        sender = await stack.enter_async_context(Sender(backend))
        deliverer = Deliverer(opened, sender, metrics, rules, at_once=at_once, heartbeat_seconds=heartbeat_seconds)
        handlers = Handlers(opened, lambda: url, RETENTION, rules.schedule, deliverer.wake, None)
        await stack.enter_async_context(working(url, handlers.publish_events, EVENT, tracer=tracer))
        task = asyncio.create_task(deliverer.run())
        try:
            yield Delivering(deliverer, metrics, task)
        finally:
            deliverer.stop()
            await deliverer.hand_back()
            await asyncio.wait_for(task, 20)


async def add_endpoint(service: Service, url: str, *events: str, **more: Any) -> dict[str, Any]:
    """As the API answers; with its secret."""
    body = {"url": url, "events": events or ["order.created"], **more}
    return dict((await service.api.post(ENDPOINTS, json=body)).raise_for_status().json())


async def send_test(service: Service, endpoint: dict[str, Any]) -> dict[str, Any]:
    """The delivery that was accepted."""
    answer = await service.api.post(f"{ENDPOINTS}/{endpoint['id']}/test")
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def delivery_of(service: Service, delivery: dict[str, Any]) -> dict[str, Any]:
    return dict((await service.api.get(f"/webhooks/deliveries/{delivery['id']}")).raise_for_status().json())


async def deliveries(service: Service, **filters: str) -> list[dict[str, Any]]:
    """Newest first."""
    found = await service.api.get("/webhooks/deliveries", params={"limit": "200", **filters})
    return list(found.raise_for_status().json()["items"])


async def endpoint_of(service: Service, endpoint: dict[str, Any]) -> dict[str, Any]:
    return dict((await service.api.get(f"{ENDPOINTS}/{endpoint['id']}")).raise_for_status().json())


async def ended(service: Service, count: int, **filters: str) -> list[dict[str, Any]]:
    """So many deliveries, none of which is pending; awaits that."""

    async def look() -> list[dict[str, Any]]:
        found = await deliveries(service, **filters)
        return found if len(found) == count and all(one["status"] != "pending" for one in found) else []

    return await eventually(look)


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["type"]
