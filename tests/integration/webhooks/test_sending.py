"""A request to a stranger: only to a public address, only to the one that was looked at, and bounded in everything."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Sequence
from ipaddress import ip_address

import aiodns
import httpcore
import pycares
import pytest
import trustme
from tests.support.partner import Behaviour, Partner, partner
from tests.support.waiting import eventually

from inventory_api import __version__
from inventory_api.webhooks import dialling, sending
from inventory_api.webhooks.dialling import CheckedBackend
from inventory_api.webhooks.resolving import Address, Resolver
from inventory_api.webhooks.sending import Answer, NotAnswered, Sender
from inventory_api.webhooks.snippet import MAX_READ_BYTES
from inventory_api.webhooks.url import Url

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HEADERS = {"webhook-id": "msg-1"}
# As a name may resolve to it; nothing is ever sent there, as a refusal comes first or another address is dialled.
PUBLIC = "8.8.8.8"


def resolving(*answers: Sequence[str]) -> CheckedBackend:
    """One that admits this machine, and whose resolver gives these answers, one after the other."""
    left = [*answers]

    async def resolve(host: str, port: int) -> list[Address]:
        del host, port
        return [ip_address(address) for address in left.pop(0)]

    return CheckedBackend(resolve, admit_loopback=True)


def to(taken: Partner, host: str = "hooks.example.com", scheme: str = "http") -> Url:
    return Url(scheme, host, taken.port, "/hook?a=b")


async def post(backend: CheckedBackend, url: Url, context: ssl.SSLContext | None = None) -> Answer:
    async with Sender(backend, context) as sender:
        return await sender.post(url, HEADERS, '{"a": "ö"}')


async def test_it_arrives_as_it_was_sent() -> None:
    async with partner(OK) as there:
        answer = await post(resolving(["127.0.0.1"]), to(there))
    assert (answer.status, answer.body, answer.is_success) == (200, b"ok", True)
    (request,) = there.requests
    assert request.line == "POST /hook?a=b HTTP/1.1"
    assert request.body == '{"a": "ö"}'
    assert request.headers["host"] == f"hooks.example.com:{there.port}"
    assert request.headers["webhook-id"] == "msg-1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"inventory-api/{__version__}"


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"],
     ["2002:7f00:1::"], [PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], ["0.0.0.0"], ["fe80::1"], ["224.0.0.1"]],
)  # fmt: skip
async def test_a_name_that_resolves_to_one_that_is_not_public_is_refused_and_nobody_is_called(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, port: int) -> list[Address]:
        del host, port
        return [ip_address(address) for address in addresses]

    dialled: list[object] = []
    backend = CheckedBackend(resolve)
    monkeypatch.setattr(backend, "_network", _Network(dialled))
    async with partner(OK) as there:
        with pytest.raises(NotAnswered, match="address refused"):
            await post(backend, to(there))
        assert (dialled, there.connections) == ([], 0)


class _Network:
    """Notes who would be dialled."""

    def __init__(self, dialled: list[object]) -> None:
        self._dialled = dialled

    async def connect_tcp(self, host: str, *_: object, **__: object) -> None:
        self._dialled.append(host)
        raise AssertionError(f"{host} was dialled")


async def test_the_system_resolves_and_this_machine_is_refused_by_name_and_by_number() -> None:
    async with partner(OK) as there, Resolver() as resolve:
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(NotAnswered, match="address refused"):
                await post(CheckedBackend(resolve), to(there, host))
        assert there.connections == 0
        for host in ("localhost", "127.0.0.1"):
            assert (await post(CheckedBackend(resolve, admit_loopback=True), to(there, host))).is_success


async def test_a_name_that_changes_its_answer_is_asked_once_for_each_request() -> None:
    """What was looked at is what is dialled: the second answer is not even asked for."""
    async with partner(OK) as there:
        assert (await post(resolving(["127.0.0.1"]), to(there))).is_success
        backend = resolving(["127.0.0.1"], ["10.0.0.1"])
        async with Sender(backend) as sender:
            assert (await sender.post(to(there), HEADERS, "{}")).is_success
            with pytest.raises(NotAnswered, match="address refused"):
                await sender.post(to(there), HEADERS, "{}")


async def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    async with partner(OK, host="127.0.0.2") as there:
        assert (await post(resolving(["127.0.0.1", "127.0.0.2"]), to(there))).is_success


@pytest.mark.parametrize(("named", "works"), [("hooks.example.com", True), ("other.example.com", False)])
async def test_tls_asks_for_the_name_and_not_for_the_address(named: str, works: bool) -> None:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(named).configure_cert(theirs)
    authority.configure_trust(ours)
    async with partner(OK, context=theirs) as there:
        sent = post(resolving(["127.0.0.1"]), to(there, scheme="https"), ours)
        if works:
            assert (await sent).is_success
        else:
            with pytest.raises(NotAnswered, match="tls"):
                await sent
            assert there.requests == []


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async with partner(OK) as elsewhere:
        moved = f"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{elsewhere.port}/\r\ncontent-length: 0\r\n\r\n"
        async with partner(moved.encode()) as there:
            answer = await post(resolving(["127.0.0.1"]), to(there))
        assert (answer.status, answer.is_success, elsewhere.connections) == (302, False, 0)


async def test_of_a_long_answer_the_beginning_is_read() -> None:
    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"a" * 4096 + b"\r\n")
            await writer.drain()

    async with partner(pour) as there:
        answer = await post(resolving(["127.0.0.1"]), to(there))
    assert (answer.status, answer.body) == (500, b"a" * MAX_READ_BYTES)


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def dripping(beginning: bytes, drop: bytes) -> Behaviour:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.05)

    return drip


drip = dripping(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n")
cut = dripping(b"HTTP/1.1 410 Gone\r\ncontent-length: 100\r\n\r\na", b"")
drip_headers = dripping(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n")


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def hint(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Responses that are none yet, without an end, as fast as they are taken."""
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)
        await writer.drain()


async def end_early(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 100\r\n\r\nshort")


@pytest.mark.parametrize(
    ("behaviour", "status", "body"), [(drip, 200, b"a"), (cut, 410, b"a"), (end_early, 503, b"short")]
)
async def test_the_status_is_the_answer_whatever_becomes_of_the_body(
    behaviour: Behaviour, status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where that comes to no end, or ends before it is said to."""
    monkeypatch.setattr(sending, "BODY_SECONDS", 0.3)
    async with partner(behaviour) as there:
        answer = await post(resolving(["127.0.0.1"]), to(there))
    assert (answer.status, answer.body[: len(body)]) == (status, body)
    assert answer.retry_after == ("7" if status == 503 else None)


async def test_an_endless_head_is_read_up_to_a_bound_and_lets_others_go_on() -> None:
    """Of 64 KiB, in parts between which the event loop turns."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turning = asyncio.create_task(turn())
    async with partner(hint) as there:
        with pytest.raises(NotAnswered, match="connection lost"):
            await post(resolving(["127.0.0.1"]), to(there))
    turning.cancel()
    assert turns > dialling.MAX_BYTES // dialling.READ_BYTES


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [(hang, "timeout"), (drip_headers, "timeout"), (reset, "connection lost"), (hint, "connection lost")],
)
async def test_who_does_not_answer_is_given_up(
    behaviour: Behaviour, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.5)
    async with partner(behaviour) as there:
        with pytest.raises(NotAnswered, match=reason):
            await post(resolving(["127.0.0.1"]), to(there))
        assert len(there.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000 + b"\r\n",
     b"HTTP/1.1 200 OK\r\nlocation\r\n\r\n"],
)  # fmt: skip
async def test_what_is_not_http_is_no_answer(answer: bytes) -> None:
    async with partner(answer) as there:
        with pytest.raises(NotAnswered, match="connection lost"):
            await post(resolving(["127.0.0.1"]), to(there))


async def test_nobody_there_and_no_such_name() -> None:
    async with partner(OK) as there:
        pass
    with pytest.raises(NotAnswered, match="connect"):
        await post(resolving(["127.0.0.1"]), to(there))
    with pytest.raises(NotAnswered, match="connect"):
        async with Resolver() as resolve:
            await post(CheckedBackend(resolve), to(there, "no-such-name.invalid"))


async def test_the_next_address_has_its_time_where_one_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one to which a firewall drops what is sent."""
    asked: list[tuple[str, float | None]] = []

    class Network:
        async def connect_tcp(self, host: str, port: int, seconds: float | None, **_: object) -> None:
            asked.append((host, seconds))
            raise httpcore.ConnectTimeout

    backend = resolving(["127.0.0.1", "::1"])
    monkeypatch.setattr(backend, "_network", Network())
    async with partner(OK) as there:
        with pytest.raises(NotAnswered, match="timeout"):
            await post(backend, to(there))
    assert asked == [("127.0.0.1", sending.CONNECT_SECONDS / 2), ("::1", sending.CONNECT_SECONDS / 2)]


async def test_an_address_is_dialled_by_its_number_in_brackets() -> None:
    """And its certificate names it without."""
    authority = trustme.CA()
    serving, asking = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("::1").configure_cert(serving)
    authority.configure_trust(asking)
    async with partner(OK, host="::1", context=serving) as there, Resolver() as resolve:
        backend = CheckedBackend(resolve, admit_loopback=True)
        assert (await post(backend, to(there, "::1", "https"), asking)).is_success
    assert there.requests[0].headers["host"] == f"[::1]:{there.port}"


async def test_who_takes_no_connection_is_given_up_long_before_who_gives_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the look-up as well."""
    monkeypatch.setattr(sending, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 600)

    async def never(host: str, port: int) -> list[Address]:
        del host, port
        await asyncio.sleep(600)
        return []

    class Network:
        async def connect_tcp(self, *_: object, **__: object) -> None:
            await asyncio.sleep(600)

    silent = resolving(["127.0.0.1"])
    monkeypatch.setattr(silent, "_network", Network())
    async with partner(OK) as there:
        for backend in (CheckedBackend(never), silent):
            with pytest.raises(NotAnswered, match="timeout"):
                await asyncio.wait_for(post(backend, to(there)), 20)


async def test_a_name_is_looked_up_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In no search domain, by which it could become one of the cluster's."""
    asked: list[dict[str, object]] = []
    made = aiodns.DNSResolver

    def note(**options: object) -> aiodns.DNSResolver:
        asked.append(options)
        return made(**options)  # type: ignore[arg-type]

    monkeypatch.setattr(aiodns, "DNSResolver", note)
    async with Resolver():
        pass
    assert [options["flags"] for options in asked] == [pycares.ARES_FLAG_NOSEARCH]


async def test_no_connection_is_left_behind() -> None:
    """Also where the answer was not read to its end."""
    open_now = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 100_000)
        await reader.read()
        open_now -= 1

    async with partner(count) as there:
        async with Sender(resolving(*[["127.0.0.1"]] * 5)) as sender:
            for _ in range(5):
                await sender.post(to(there, "127.0.0.1"), HEADERS, "{}")

        async def none_is_open() -> bool:
            return open_now == 0

        await eventually(none_is_open)
