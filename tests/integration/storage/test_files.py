"""The storage on a directory: uploads that come to this service itself, and what a crash may leave."""

import asyncio
import os
import threading
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.support.objects import MEDIA_TYPE, Content, new_key, put

from inventory_api.storage.disk import on_disk
from inventory_api.storage.file_format import Incoming
from inventory_api.storage.files import INCOMING, SIGNING_KEY, FileStorage
from inventory_api.storage.model import SignedRequest, StorageUnavailable, WrongChecksum, WrongSize
from inventory_api.storage.promise import SignatureRefused

CONTENT = Content(1000)
OTHER = Content(1000, seed=1)


@pytest.fixture
async def files(tmp_path: Path) -> FileStorage:
    return await opened(tmp_path / "storage")


async def opened(directory: Path) -> FileStorage:
    storage = FileStorage(directory)
    await storage.open()
    return storage


async def signed(files: FileStorage, key: str, seconds: int = 60) -> SignedRequest:
    return await files.sign_upload(key, CONTENT.size, MEDIA_TYPE, CONTENT.sha256, seconds)


def query(request: SignedRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query))


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def left_in(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob("*") if path.is_file() and path.name != SIGNING_KEY]


async def test_a_direct_upload(files: FileStorage, tmp_path: Path) -> None:
    """Any server worker takes what another has signed."""
    key = new_key()
    request = await signed(files, key)
    assert request.method == "PUT"
    assert urlsplit(request.url).path == f"/attachments/uploads/{key.partition('/')[2]}/content"
    another = await opened(tmp_path / "storage")
    promise = await another.verify_upload(key, query(request), request.headers)
    assert promise == CONTENT.stored
    await another.receive(key, promise, chunks(CONTENT.data[:1], CONTENT.data[1:]))
    assert await files.describe(key) == CONTENT.stored
    assert await files.read(key, 0, 1000) == CONTENT.data


async def test_nothing_else_is_taken(files: FileStorage, tmp_path: Path) -> None:
    key = new_key()
    request = await signed(files, key)
    good, headers = query(request), dict(request.headers)
    other_checksum = b64encode(bytes.fromhex(OTHER.sha256)).decode()
    refused: list[tuple[str, dict[str, str], dict[str, str]]] = [
        (new_key(), good, headers),
        (key, {}, headers),
        (key, {**good, "expires": str(int(good["expires"]) + 1)}, headers),
        (key, {**good, "signature": good["signature"][:-1] + "x"}, headers),
        (key, {**good, "signature": "ä"}, headers),
        (key, {**good, "expires": "1e9"}, headers),
        (key, good, {}),
        (key, good, {**headers, "content-length": "1001"}),
        (key, good, {**headers, "content-length": "-1"}),
        (key, good, {**headers, "content-type": "text/html"}),
        (key, good, {**headers, "x-amz-checksum-sha256": other_checksum}),
        (key, good, {**headers, "x-amz-checksum-sha256": "?"}),
        *((key, good, {k: v for k, v in headers.items() if k != name}) for name in headers),
    ]
    for name, asked, with_headers in refused:
        with pytest.raises(SignatureRefused):
            await files.verify_upload(name, asked, with_headers)
    expired = await signed(files, key, seconds=0)
    with pytest.raises(SignatureRefused):
        await files.verify_upload(key, query(expired), expired.headers)
    elsewhere = await opened(tmp_path / "elsewhere")
    with pytest.raises(SignatureRefused):
        await elsewhere.verify_upload(key, good, headers)


async def test_what_is_not_as_promised_leaves_nothing(files: FileStorage, tmp_path: Path) -> None:
    key = new_key()

    async def lost() -> AsyncIterator[bytes]:
        yield CONTENT.data[:500]
        raise ConnectionResetError

    cases: list[tuple[AsyncIterator[bytes], type[Exception]]] = [
        (chunks(CONTENT.data[:-1]), WrongSize),
        (chunks(CONTENT.data, b"x"), WrongSize),
        (chunks(), WrongSize),
        (chunks(OTHER.data), WrongChecksum),
        (lost(), ConnectionResetError),
    ]
    for coming, error in cases:
        with pytest.raises(error):
            await files.receive(key, CONTENT.stored, coming)
        assert left_in(tmp_path) == []


async def test_no_more_is_taken_than_was_promised(files: FileStorage) -> None:
    taken = 0

    async def much() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield CONTENT.data

    with pytest.raises(WrongSize):
        await files.receive(new_key(), CONTENT.stored, much())
    assert taken == 2


async def test_who_is_cancelled_waits_for_the_disk() -> None:
    """So nothing is done to a file behind the back of whoever removes it."""
    begun, may_end = threading.Event(), threading.Event()

    def step() -> None:
        begun.set()
        assert may_end.wait(10)

    working = asyncio.create_task(on_disk(step))
    assert await asyncio.to_thread(begun.wait, 10)
    working.cancel()
    await asyncio.sleep(0.05)
    assert not working.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_who_sends_may_be_cancelled(files: FileStorage, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield CONTENT.data[:500]
        begun.set()
        await asyncio.sleep(60)

    receiving = asyncio.create_task(files.receive(new_key(), CONTENT.stored, stalled()))
    await begun.wait()
    assert len(left_in(tmp_path)) == 1
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert left_in(tmp_path) == []


async def test_what_a_crash_has_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    files = await opened(tmp_path)
    for _ in range(2):
        Incoming(tmp_path / INCOMING, CONTENT.stored).begin()
    old, young = sorted((tmp_path / INCOMING).iterdir())
    os.utime(old, (time.time() - 3700, time.time() - 3700))
    await put(files, key := new_key(), CONTENT)
    again = await opened(tmp_path)
    assert [*(tmp_path / INCOMING).iterdir()] == [young]
    assert await again.describe(key) == CONTENT.stored


async def test_all_workers_agree_on_one_key_that_nobody_else_may_read(tmp_path: Path) -> None:
    workers = await asyncio.gather(*(opened(tmp_path) for _ in range(8)))
    requests = await asyncio.gather(*(signed(worker, "attachments/1") for worker in workers))
    for worker in workers:
        for request in requests:
            assert await worker.verify_upload("attachments/1", query(request), request.headers) == CONTENT.stored
    key = tmp_path / SIGNING_KEY
    assert (key.stat().st_size, key.stat().st_mode & 0o777) == (32, 0o600)
    assert sorted(path.name for path in tmp_path.iterdir()) == [INCOMING, SIGNING_KEY]


async def test_what_is_no_object_is_not_taken_for_one(files: FileStorage, tmp_path: Path) -> None:
    await put(files, key := new_key(), CONTENT)
    (tmp_path / "storage" / key).write_bytes(b"torn")
    with pytest.raises(StorageUnavailable):
        await files.describe(key)
