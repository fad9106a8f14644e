"""A service and a queue worker as processes, and a partner that takes webhooks: what one order leaves behind."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.partner import Partner, partner
from tests.support.process import MODULE, Server, clean_environment, serving
from tests.support.queue_worker import Worker
from tests.support.service import AUTHORIZATION, ITEM
from tests.support.waiting import eventually

TAKEN = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
SKU = "BOLT-8"


@dataclass
class Shop:
    """Sells `SKU`. `logs` are what both processes write."""

    api: httpx.AsyncClient
    server: Server
    worker: Worker
    partner: Partner
    logs: tuple[Path, Path]
    database_url: str

    async def order(self, request_id: str, **headers: str) -> httpx.Response:
        named = {"X-Request-ID": request_id, "Idempotency-Key": request_id, **headers}
        body = {"lines": [{"sku": SKU, "quantity": 2}]}
        return (await self.api.post("/orders", json=body, headers=named)).raise_for_status()

    def log_options(self) -> list[object]:
        return [argument for path in self.logs for argument in ("--logs", path)]

    async def delivered(self, count: int = 1) -> None:
        """Await that so many webhooks have arrived."""

        async def look() -> bool:
            found = (await self.api.get("/webhooks/deliveries")).raise_for_status().json()["items"]
            return [one["status"] for one in found] == ["delivered"] * count

        await eventually(look)

    async def trace(self, *arguments: object, with_database: bool = True, stdin: str = "") -> Any:
        """What `inventory-api trace` comes to."""
        settings = {"INVENTORY_DATABASE_URL": self.database_url} if with_database else {}
        return await trace(*arguments, stdin=stdin, **settings)


async def trace(*arguments: object, stdin: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
    """`inventory-api trace`, with these settings."""
    command = [*MODULE, "trace", *map(str, arguments)]
    return await asyncio.to_thread(
        subprocess.run,
        command,
        env=clean_environment(settings),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@asynccontextmanager
async def shop(directory: Path, database_url: str, keys_file: Path, **settings: Any) -> AsyncIterator[Shop]:
    """Open until left; `settings` are of both processes."""
    both: dict[str, Any] = {"webhook_loopback": "true", "webhook_delays": "0", **settings}
    logs = directory / "service", directory / "worker"
    for one in logs:
        one.mkdir()
    async with AsyncExitStack() as stack:
        taking = await stack.enter_async_context(partner(TAKEN))
        service = {"database_url": database_url, "api_keys_file": keys_file, **both}
        server = stack.enter_context(serving(logs[0], **service))
        worker = Worker(logs[1], database_url, **both)
        stack.callback(worker.kill_all)
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=server.api, headers=AUTHORIZATION))
        (await api.put(f"/inventory/{SKU}", json=ITEM)).raise_for_status()
        endpoint = {"url": f"http://127.0.0.1:{taking.port}/hook", "events": ["order.created"]}
        (await api.post("/webhooks/endpoints", json=endpoint)).raise_for_status()
        yield Shop(api, server, worker, taking, (logs[0] / "stdout", logs[1] / "stdout"), database_url)
