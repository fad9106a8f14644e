"""Clients of the service that go on through every fault; what they do is switched while they do it."""

import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import httpx

from tests.support.attaching import PNG, image
from tests.support.database import fetch
from tests.support.service import AUTHORIZATION

SKUS = [f"A-{number}" for number in range(20)]
CLIENTS = 6
PAUSE_SECONDS = 0.1
# Of each.
LONGEST_SECONDS = 1_800
VERIFY_SECONDS = 8.0
VERIFY = "INSERT INTO pgqueuer (entrypoint, priority, headers, status) VALUES ('ledger_verify', 0, '{}', 'queued')"


class Clients:
    """`authorization`: what they say who they are by; `are_there`: whether they ask at all; `verifies`: whether the
    ledger is looked at.
    """

    def __init__(self, api: str, database_url: str) -> None:
        self.authorization = AUTHORIZATION
        self.are_there = True
        self.verifies = True
        self._api = api
        self._database_url = database_url
        self._ended = threading.Event()
        self._serial = itertools.count()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        kinds: list[Callable[[httpx.Client], object]] = [self._read, self._patch, self._order, self._upload]
        for number in range(CLIENTS):
            self._begin(kinds[number % len(kinds)], self._ended)
        self._begin(self._verify, self._ended, VERIFY_SECONDS)

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def more(self, count: int) -> Iterator[None]:
        """So many others, who change items and do not pause."""
        ended = threading.Event()
        others = [self._begin(self._patch, ended, 0.01) for _ in range(count)]
        try:
            yield
        finally:
            ended.set()
            for other in others:
                other.join()

    def _begin(
        self, what: Callable[[httpx.Client], object], ended: threading.Event, pause: float = PAUSE_SECONDS
    ) -> threading.Thread:
        thread = threading.Thread(target=self._again_and_again, args=(what, ended, pause))
        self._threads.append(thread)
        thread.start()
        return thread

    def _again_and_again(self, what: Callable[[httpx.Client], object], ended: threading.Event, pause: float) -> None:
        with httpx.Client(base_url=self._api, timeout=10) as client:
            for _ in range(int(LONGEST_SECONDS / pause)):
                if ended.wait(pause):
                    return
                if self.are_there:
                    with suppress(httpx.HTTPError, OSError):
                        what(client)

    def _read(self, client: httpx.Client) -> None:
        client.get(f"/inventory/{self._sku()}", headers=self.authorization)

    def _patch(self, client: httpx.Client) -> None:
        name = {"name": f"Name {next(self._serial)}"}
        client.patch(f"/inventory/{self._sku()}", json=name, headers=self.authorization)

    def _order(self, client: httpx.Client) -> None:
        lines = {"lines": [{"sku": self._sku(), "quantity": 1}]}
        client.post("/orders", json=lines, headers={**self.authorization, "Idempotency-Key": str(uuid.uuid4())})

    def _upload(self, client: httpx.Client) -> None:
        client.post(
            f"/inventory/{self._sku()}/attachments",
            files={"file": ("a.png", image(), PNG)},
            headers=self.authorization,
        )

    def _verify(self, _: httpx.Client) -> None:
        if self.verifies:
            with suppress(Exception):
                fetch(self._database_url, VERIFY)

    def _sku(self) -> str:
        return SKUS[next(self._serial) % len(SKUS)]
