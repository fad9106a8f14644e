"""Connections are accepted by the burst, and not one in each turn of a busy event loop."""

import asyncio
import resource
import socket
from collections.abc import Iterator

import pytest
import uvloop
from tests.support.waiting import eventually

from inventory_api.server import listener as module
from inventory_api.server.listener import ACCEPTED_AT_ONCE, Listener

CONNECTIONS = 96


@pytest.fixture
def clients() -> Iterator[list[socket.socket]]:
    made = [socket.socket() for _ in range(CONNECTIONS)]
    for client in made:
        client.setblocking(False)
    yield made
    for client in made:
        client.close()


def _listening() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)
    sock.setblocking(False)
    return sock


def _connect(sock: socket.socket, clients: list[socket.socket]) -> None:
    for client in clients:
        client.connect_ex(sock.getsockname())


class Counter(asyncio.Protocol):
    """Notes the turn in which each connection is made."""

    def __init__(self, turns: list[int], now: list[int]) -> None:
        self._turns = turns
        self._now = now

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._turns.append(self._now[0])
        transport.close()


def test_a_burst_is_accepted_in_few_turns_of_the_loop(clients: list[socket.socket]) -> None:
    """In production's loop, which itself accepts one in each turn."""
    turns, now = list[int](), [0]

    async def accept() -> None:
        sock = _listening()
        _connect(sock, clients)
        listener = Listener(sock, lambda: Counter(turns, now))
        while len(turns) < CONNECTIONS and now[0] < CONNECTIONS * 10:
            await asyncio.sleep(0)
            now[0] += 1
        listener.close()

    uvloop.run(accept())
    assert len(turns) == CONNECTIONS
    assert turns[-1] < CONNECTIONS / 2
    assert max(turns.count(turn) for turn in turns) <= ACCEPTED_AT_ONCE


def test_without_file_descriptors_it_pauses_says_so_and_goes_on(
    clients: list[socket.socket], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.05)
    turns: list[int] = []

    async def told() -> bool:
        return "Too many open files" in caplog.text

    async def all_accepted() -> bool:
        return len(turns) == CONNECTIONS

    async def accept() -> None:
        sock = _listening()
        listener = Listener(sock, lambda: Counter(turns, [0]))
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (_next_descriptor(), limits[1]))
        try:
            _connect(sock, clients)
            await eventually(told)
            assert not turns
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await eventually(all_accepted)
        listener.close()

    uvloop.run(accept())


def test_what_waits_when_it_closes_is_accepted(clients: list[socket.socket]) -> None:
    """The kernel would reset it, and the request that its client has sent meanwhile."""
    turns: list[int] = []

    async def all_accepted() -> bool:
        return len(turns) == CONNECTIONS

    async def accept() -> None:
        sock = _listening()
        _connect(sock, clients)
        Listener(sock, lambda: Counter(turns, [0])).close()
        await eventually(all_accepted)

    uvloop.run(accept())


def test_a_closed_one_accepts_no_more() -> None:
    async def refused() -> None:
        sock = _listening()
        address = sock.getsockname()
        listener = Listener(sock, asyncio.Protocol)
        listener.close()
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)

    uvloop.run(refused())


def _next_descriptor() -> int:
    with socket.socket() as probe:
        return probe.fileno()
