"""A storage that is down, silent, slow, full, or closed to this service: a clear error, in time, and nothing left."""

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import trustme
from tests.support.connects import connects_seen
from tests.support.objects import TRANSFERS, Content, new_key, put, stored, taken
from tests.support.process import free_ports
from tests.support.s3 import S3Server, s3_server

from inventory_api.errors import DependencyUnavailable
from inventory_api.storage.address import FileAddress
from inventory_api.storage.check import StorageCheck
from inventory_api.storage.create import create
from inventory_api.storage.files import INCOMING
from inventory_api.storage.model import CHUNK_BYTES, Storage, StorageUnavailable
from inventory_api.storage.s3 import S3Storage
from inventory_api.storage.s3_content import CALL_SECONDS, seconds_for

CONTENT = Content(600_000)
NAME = "bucket"
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def opened(bucket: str = NAME, *, has_keys: bool = True) -> AsyncIterator[Storage]:
    """By what the environment says. To open it does not fail, nor wait for anybody: who has keys asks none."""
    storage = S3Storage(bucket)
    with connects_seen() as seen:
        await storage.open()
    assert not seen or not has_keys
    try:
        yield storage
    finally:
        await storage.close()


async def failures(storage: Storage) -> dict[str, str]:
    """What each call fails by, all at once; within their bounds."""
    key = new_key()
    calls: dict[str, Awaitable[object]] = {
        "put": put(storage, key, CONTENT),
        "describe": storage.describe(key),
        "read": storage.read(key, 0, 1000),
        "stream": taken(storage, key, 0, 1000),
        "remove": storage.remove(key),
        "check": StorageCheck(storage).run(),
    }
    async with asyncio.timeout(seconds_for(CONTENT.size) + 5):
        came = await asyncio.gather(*calls.values(), return_exceptions=True)
    for error in came:
        assert isinstance(error, StorageUnavailable), came
        assert isinstance(error, DependencyUnavailable)
        assert error.__cause__ is not None
    return {
        name: error.message for name, error in zip(calls, came, strict=True) if isinstance(error, StorageUnavailable)
    }


async def one_failure(storage: Storage) -> str:
    (message,) = set((await failures(storage)).values())
    return message


@pytest.fixture
def environment(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@asynccontextmanager
async def listening(behaviour: Behaviour) -> AsyncIterator[str]:
    """The URL of a server that does that with each connection."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await behaviour(reader, writer)
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_nothing_listens(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_ports(1)[0]}")
    async with opened() as storage:
        assert await one_failure(storage) == "The storage is not available."


async def test_it_is_silent_or_slow(environment: pytest.MonkeyPatch) -> None:
    """Together, as each takes its time: one never accepts, one never answers, one drips what it has."""

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        while await reader.read(65536):
            pass

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 206 Partial Content\r\ncontent-length: 600000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.3)

    async with AsyncExitStack() as stack:
        urls = (
            stack.enter_context(full_backlog()),
            await stack.enter_async_context(listening(never)),
            await stack.enter_async_context(listening(drip)),
        )
        storages = []
        for url in urls:
            environment.setenv("AWS_ENDPOINT_URL_S3", url)
            storages.append(await stack.enter_async_context(opened()))
        deaf, silent, dripping = storages
        async with asyncio.timeout(CALL_SECONDS + 10):
            results = await asyncio.gather(
                one_failure(deaf),
                one_failure(silent),
                _message(dripping.read(new_key(), 0, 600_000)),
                _message(taken(dripping, new_key(), 0, 600_000)),
            )
    assert set(results) == {"The storage did not answer in time."}


@contextmanager
def full_backlog() -> Iterator[str]:
    """The URL of a socket that accepts nobody, and for whom nobody can wait any more: to connect takes for ever."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


async def _message(call: Awaitable[object]) -> str:
    with pytest.raises(StorageUnavailable) as raised:
        await call
    return raised.value.message


async def test_the_secret_is_wrong(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
    async with opened(bucket) as storage:
        assert await one_failure(storage) == "The storage refuses this service's credentials."
    assert s3.objects(bucket) == []


async def test_nobody_has_that_access_key(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """This server answers 404 then: no object is taken for missing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    async with opened(bucket) as storage:
        await failures(storage)
    assert s3.objects(bucket) == []


async def test_there_are_no_credentials(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    async with opened() as storage:
        assert await one_failure(storage) == "The storage refuses this service's credentials."


async def test_the_machine_does_not_give_out_credentials(s3: S3Server, environment: pytest.MonkeyPatch) -> None:
    """Its metadata service is silent, however long that may be waited for. Credentials that come later are found."""
    bucket = s3.make_bucket("without-credentials")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        environment.delenv(name)
    environment.setenv("AWS_METADATA_SERVICE_TIMEOUT", "30")
    with full_backlog() as silent:
        environment.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", silent)
        async with opened(bucket, has_keys=False) as storage:
            async with asyncio.timeout(20):
                assert await _message(storage.check()) == "The storage did not answer in time."
            for name, value in s3.environment().items():
                environment.setenv(name, value)
            await storage.check()


async def test_there_is_no_bucket(environment: pytest.MonkeyPatch) -> None:
    del environment
    async with opened("nobodys-bucket") as storage:
        assert await one_failure(storage) == "The storage is not available."


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A megabyte."""
    if os.getuid() != 0:
        pytest.skip("NOT TESTED: a disk that is full; to mount one takes root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


async def test_a_full_disk(tiny_disk: Path) -> None:
    storage = create(FileAddress(tiny_disk / "storage"), TRANSFERS)
    await storage.open()
    await require_full(storage)
    left = [path for path in tiny_disk.rglob("*") if path.is_file()]
    assert len(left) == 1, "the one that there was room for"
    await storage.close()


async def test_a_full_bucket(tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(tiny_disk) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        async with opened(server.make_bucket(NAME)) as storage:
            await require_full(storage)
        assert len(server.objects(NAME)) == 1


async def require_full(storage: Storage) -> None:
    """There is room for one."""
    key = await stored(storage, CONTENT)
    another = new_key()
    assert await _message(put(storage, another, CONTENT)) == "The storage is full."
    assert await storage.describe(another) is None
    assert await storage.read(key, 0, CONTENT.size) == CONTENT.data
    await storage.remove(key)
    await stored(storage, CONTENT)


async def test_a_directory_that_is_gone(file_storage: Storage, tmp_path: Path) -> None:
    """Its objects are not missing: the storage is."""
    (tmp_path / "storage" / INCOMING).rmdir()
    (tmp_path / "storage").rmdir()
    assert await one_failure(file_storage) == "The storage is not available."


async def test_a_bucket_by_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an authority that AWS_CA_BUNDLE names."""
    authority = trustme.CA()
    bundle, certificate, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(bundle)
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    with s3_server(tmp_path, tls={"cert": certificate, "key": key}) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        bucket = server.make_bucket(NAME)
        async with opened(bucket) as storage:
            assert await one_failure(storage) == "The storage is not available."
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
        async with opened(bucket) as storage:
            key_of_it = await stored(storage, CONTENT)
            assert await storage.describe(key_of_it) == CONTENT.stored


BUSY = b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
LOST = b""


@pytest.mark.parametrize(("answer", "puts"), [(BUSY, 1), (LOST, 2)], ids=["busy", "lost"])
async def test_what_is_asked_a_second_time(environment: pytest.MonkeyPatch, answer: bytes, puts: int) -> None:
    """Neither a put that was answered, nor a check; but what was lost with its connection, which aiohttp does."""
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split()[0])
        writer.write(answer)

    async with listening(refuse) as url:
        environment.setenv("AWS_ENDPOINT_URL_S3", url)
        async with opened() as storage:
            assert await one_failure(storage) == "The storage is not available."
    heads = 2 + puts
    assert sorted(asked) == [b"DELETE"] * 2 + [b"GET"] * 4 + [b"HEAD"] * heads + [b"PUT"] * puts


async def test_no_more_is_read_than_is_taken(environment: pytest.MonkeyPatch) -> None:
    size, sent = 64_000_000, 0

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 206 Partial Content\r\ncontent-length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(bytes(CHUNK_BYTES))
            await writer.drain()
            sent += CHUNK_BYTES

    async with listening(send) as url:
        environment.setenv("AWS_ENDPOINT_URL_S3", url)
        async with opened() as storage, storage.stream(new_key(), 0, size) as chunks:
            await anext(chunks)
            await asyncio.sleep(0.5)
            assert sent < size // 2


async def test_what_ends_early_is_not_taken_for_the_whole(environment: pytest.MonkeyPatch) -> None:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 206 Partial Content\r\ncontent-length: 1000\r\n\r\n" + bytes(999))

    async with listening(send) as url:
        environment.setenv("AWS_ENDPOINT_URL_S3", url)
        async with opened() as storage:
            assert await _message(storage.read(new_key(), 0, 1000)) == "The storage is not available."
            assert await _message(taken(storage, new_key(), 0, 1000)) == "The storage is not available."


async def test_what_ends_early_is_gone_on_with(environment: pytest.MonkeyPatch) -> None:
    """By another connection, from the chunk that was not whole, as long as each brings one."""
    content, asked = Content(1_000_000), list[int]()

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        start = int(head.partition("range: bytes=")[2].partition("-")[0])
        asked.append(start)
        answer = f"HTTP/1.1 206 Partial Content\r\ncontent-length: {content.size - start}\r\n\r\n".encode()
        writer.write(answer + content.data[start : start + 300_000])

    async with listening(send) as url:
        environment.setenv("AWS_ENDPOINT_URL_S3", url)
        async with opened() as storage:
            assert b"".join(await taken(storage, new_key(), 0, content.size)) == content.data
    assert asked == [0, CHUNK_BYTES, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES]
