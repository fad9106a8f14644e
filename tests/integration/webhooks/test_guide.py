"""The receivers of docs/webhooks.md, in Python and JavaScript: what is delivered, they verify, and keep the later."""

import asyncio
import json
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.delivering import ENDPOINTS, add_endpoint, deliveries, delivering, ended, send_test
from tests.support.node import NODE, SOURCE
from tests.support.partner import Taken, partner
from tests.support.selling import line, order
from tests.support.service import Service
from tests.support.working import until

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"
# Where `make .venv/test` has put the npm packages.
PACKAGES = Path(os.environ.get("VIRTUAL_ENV", Path(__file__).parents[3] / ".venv")) / "node" / "node_modules"

pytestmark = pytest.mark.settings(webhook_loopback="true")


def code(language: str) -> str:
    """The one block of the page in that language."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(block)


@dataclass
class Receiving:
    """`url` is where it receives, and `database` what it keeps."""

    url: str
    database: Path

    def levels(self) -> dict[str, tuple[int, int]]:
        with sqlite3.connect(self.database) as connection:
            rows = connection.execute("SELECT sku, available, version FROM level").fetchall()
        connection.close()
        return {sku: (available, version) for sku, available, version in rows}


@asynccontextmanager
async def in_python(secret: str, directory: Path) -> AsyncIterator[Receiving]:
    namespace: dict[str, Any] = {}
    exec(code("python"), namespace)  # noqa: S102 -- the page's own
    receiver = namespace["Receiver"](secret, str(directory / "python.db"))

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = there.requests[-1]
        # In whatever thread, as a web framework may have it.
        status = await asyncio.to_thread(receiver.receive, request.headers, request.body.encode())
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())

    async with partner(answer) as there:
        yield Receiving(f"http://127.0.0.1:{there.port}/", directory / "python.db")


@asynccontextmanager
async def in_javascript(secret: str, directory: Path) -> AsyncIterator[Receiving]:
    (directory / "receiver.mjs").write_text(code("javascript"))
    (directory / "serve.mjs").write_text((SOURCE / "serve.mjs").read_text())
    (directory / "node_modules").symlink_to(PACKAGES)
    command = [NODE, directory / "serve.mjs", secret, directory / "javascript.db"]
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), 30))
        yield Receiving(f"http://127.0.0.1:{port}/", directory / "javascript.db")
    finally:
        process.kill()
        await process.wait()


Language = Callable[[str, Path], AbstractAsyncContextManager[Receiving]]


@pytest.fixture(params=[in_python, in_javascript])
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


async def test_what_is_delivered_is_verified_and_the_later_is_kept(
    service: Service, database_url: str, tmp_path: Path, language: Language
) -> None:
    """Also when it comes again, and after what came later."""
    (await service.put("A-1")).raise_for_status()
    # The address is known when the secret is: the endpoint begins elsewhere.
    endpoint = await add_endpoint(service, "http://127.0.0.1:9/", "inventory.level.changed", "order.created")
    async with language(endpoint["secret"], tmp_path) as there:
        await service.api.patch(f"{ENDPOINTS}/{endpoint['id']}", json={"url": there.url})
        for _ in range(3):
            await order(service, line("A-1", 2))
        async with delivering(database_url) as worker:
            await ended(service, 6, status="delivered")
            assert there.levels() == {"A-1": (4, 5)}
            first = (await deliveries(service, event="inventory.level.changed"))[-1]
            await service.api.post(f"/webhooks/deliveries/{first['id']}/redeliver")
            await until(lambda: worker.outcome("delivered") == 7)
            assert there.levels() == {"A-1": (4, 5)}
            with sqlite3.connect(there.database) as connection:
                connection.execute("DELETE FROM seen")
            connection.close()
            await service.api.post(f"/webhooks/deliveries/{first['id']}/redeliver")
            await until(lambda: worker.outcome("delivered") == 8)
            assert there.levels() == {"A-1": (4, 5)}, "it was new, and is not the later"


async def test_a_secret_that_is_being_replaced_is_good_and_a_strangers_is_not(
    service: Service, database_url: str, tmp_path: Path, language: Language
) -> None:
    """With the receiver that knows the old one only."""
    endpoint = await add_endpoint(service, "http://127.0.0.1:9/")
    async with language(endpoint["secret"], tmp_path) as there, delivering(database_url) as worker:
        for url in (there.url, "http://127.0.0.1:9/"):
            await service.api.patch(f"{ENDPOINTS}/{endpoint['id']}", json={"url": url})
            if url == there.url:
                (await service.api.post(f"{ENDPOINTS}/{endpoint['id']}/rotate-secret")).raise_for_status()
                await send_test(service, endpoint)
                await until(lambda: worker.outcome("delivered") == 1)
        stranger = await add_endpoint(service, there.url)
        await send_test(service, stranger)
        await until(lambda: worker.outcome("failed") == 1)
        (failed,) = await deliveries(service, status="failed")
        attempts = (await service.api.get(f"/webhooks/deliveries/{failed['id']}")).json()["attempts"]
        assert [one["status_code"] for one in attempts] == [401]


async def test_what_was_changed_on_the_way_is_refused(
    service: Service, database_url: str, tmp_path: Path, language: Language
) -> None:
    """The body, the id, the time; and what is sent a second time much later, as the time is signed too."""
    noted: list[Taken] = []
    async with partner(b"HTTP/1.1 204 No Content\r\n\r\n") as first, delivering(database_url):
        endpoint = await add_endpoint(service, f"http://127.0.0.1:{first.port}/")
        await send_test(service, endpoint)
        await ended(service, 1)
        noted += first.requests
    (request,) = noted
    async with language(endpoint["secret"], tmp_path) as there, httpx.AsyncClient() as client:

        async def status(body: str, **changed: str) -> int:
            names = ("webhook-id", "webhook-timestamp", "webhook-signature")
            headers = {name: request.headers[name] for name in names}
            headers |= {name.replace("_", "-"): value for name, value in changed.items()}
            sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
            return (await client.post(there.url, content=body, headers=sent)).status_code

        assert await status(request.body) == 204
        assert await status(request.body.replace("webhook.test", "order.created")) == 401
        assert await status(json.dumps(json.loads(request.body))) == 401, "the bytes as they came"
        assert await status(request.body, webhook_id="another") == 401
        assert await status(request.body, webhook_timestamp="1") == 401
        for signature in ("v1,AAAA", "v1", "", ",", "v1,\xe9", "v2,AAAA", "v1,%%%"):
            assert await status(request.body, webhook_signature=signature) == 401, signature
