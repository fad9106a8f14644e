"""Clients that take stock, each one attempt after the other until there are no more: what fits, and what does not."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.service import AUTHORIZATION
from tests.support.waiting import POLL_SECONDS

from .outcomes import is_no_room

CLIENTS = 32
# As long as a client of the guide would go on with one change.
MOST_TRIES = 500
TIMEOUT_SECONDS = 30.0

Attempt = Callable[[httpx.AsyncClient, "Tally"], Awaitable[None]]


@dataclass
class Tally:
    """What became of all attempts."""

    made: Counter[str] = field(default_factory=Counter)
    refused: list[dict[str, Any]] = field(default_factory=list)  # the `meta` of what did not fit
    unexpected: list[str] = field(default_factory=list)
    retries: Counter[str] = field(default_factory=Counter)

    def judge(self, response: httpx.Response, kind: str) -> None:
        """201 and 200 are made; 409 for too little stock is refused; nothing else is expected."""
        if response.status_code in {200, 201}:
            self.made[kind] += 1
        elif response.status_code == 409 and response.json()["error"]["type"] == "INSUFFICIENT_STOCK":
            self.refused += [detail["meta"] for detail in response.json()["error"]["details"]]
        else:
            self.unexpected.append(f"{response.status_code} {response.text}")


def take(api: str, attempts: Sequence[Attempt]) -> Tally:
    """All attempts, by `CLIENTS` clients at once."""
    tally = Tally()
    asyncio.run(_take(api, iter(attempts), tally))
    return tally


def posting(what: str, line: dict[str, Any]) -> Attempt:
    """One adjustment or transfer of one line, sent again under its key where there was no room for it."""

    async def attempt(client: httpx.AsyncClient, tally: Tally) -> None:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        tally.judge(await _with_room(client, tally, "POST", f"/inventory/{what}", {"lines": [line]}, headers), what)

    return attempt


def patching(sku: str) -> Attempt:
    """One less than was read, as long as something is there; read again on 412."""

    async def attempt(client: httpx.AsyncClient, tally: Tally) -> None:
        for _ in range(MOST_TRIES):
            read = await _with_room(client, tally, "GET", f"/inventory/{sku}")
            quantity = read.json()["quantity"]
            if quantity == 0:
                tally.refused.append({"on_hand": 0})
                return
            body, headers = {"quantity": quantity - 1}, {"If-Match": read.headers["ETag"]}
            response = await _with_room(client, tally, "PATCH", f"/inventory/{sku}", body, headers)
            if response.status_code != 412:
                tally.judge(response, "patch")
                return
            tally.retries["412"] += 1
        tally.unexpected.append(f"not made in {MOST_TRIES} tries")

    return attempt


async def _take(api: str, attempts: Iterator[Attempt], tally: Tally) -> None:
    async def client() -> None:
        async with httpx.AsyncClient(base_url=api, headers=AUTHORIZATION, timeout=TIMEOUT_SECONDS) as connected:
            for attempt in attempts:
                await attempt(connected, tally)

    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(client())


async def _with_room(
    client: httpx.AsyncClient,
    tally: Tally,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """The answer, once there was room for the request; that there was none is counted."""
    for _ in range(MOST_TRIES):
        response = await client.request(method, path, json=body, headers=headers)
        error = response.json()["error"] if response.status_code == 503 else {"type": "", "message": ""}
        if not is_no_room(error["type"], error["message"]):
            return response
        tally.retries["no room"] += 1
        await asyncio.sleep(POLL_SECONDS)
    return response
