"""What both storages do: on a directory, and on a real S3 server."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import psutil
import pytest
from tests.support.objects import MEDIA_TYPE, TRANSFERS, Content, new_key, put, stored, taken
from tests.support.waiting import eventually

from inventory_api.storage.model import CHUNK_BYTES, ObjectMissing, Storage, WrongChecksum, WrongSize

SMALL = Content(1000)
# Several chunks, the last of them not full.
LARGE = Content(3 * CHUNK_BYTES + 17)
OTHER = Content(1000, seed=1)


async def test_what_was_put_is_there(storage: Storage) -> None:
    for content in (Content(0), Content(1), SMALL, LARGE):
        key = await stored(storage, content)
        assert await storage.describe(key) == content.stored
        assert await storage.read(key, 0, content.size + 1) == content.data
        chunks = await taken(storage, key, 0, content.size + 1)
        assert b"".join(chunks) == content.data
        assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)


async def test_a_part(storage: Storage) -> None:
    key = await stored(storage, SMALL)
    for start, length in ((0, 1), (999, 1), (10, 500), (999, 2), (1000, 1), (5000, 10), (0, CHUNK_BYTES)):
        expected = SMALL.data[start : start + length]
        assert await storage.read(key, start, length) == expected
        assert b"".join(await taken(storage, key, start, length)) == expected


async def test_a_later_one_takes_its_place(storage: Storage) -> None:
    key = await stored(storage, LARGE)
    await put(storage, key, SMALL)
    assert await storage.describe(key) == SMALL.stored
    assert await storage.read(key, 0, LARGE.size) == SMALL.data


async def test_what_is_not_as_said_is_not_stored(storage: Storage) -> None:
    key, there = new_key(), await stored(storage, SMALL)
    for name in (key, there):
        with pytest.raises(WrongChecksum):
            await put(storage, name, OTHER, sha256=SMALL.sha256)
        for size in (999, 1001):
            with pytest.raises(WrongSize):
                await put(storage, name, OTHER, size=size)
    assert await storage.describe(key) is None
    assert await storage.read(there, 0, SMALL.size) == SMALL.data


async def test_what_is_not_there(storage: Storage) -> None:
    key = new_key()
    assert await storage.describe(key) is None
    with pytest.raises(ObjectMissing):
        await storage.read(key, 0, 1)
    with pytest.raises(ObjectMissing):
        async with storage.stream(key, 0, 1):
            pass


async def test_it_is_removed_once_and_again(storage: Storage) -> None:
    key, other = await stored(storage, SMALL), await stored(storage, SMALL)
    for _ in range(2):
        await storage.remove(key)
        assert await storage.describe(key) is None
    assert await storage.describe(other) == SMALL.stored


async def test_odd_keys_are_refused(storage: Storage) -> None:
    calls: list[Callable[[str], Awaitable[object]]] = [
        lambda key: put(storage, key, SMALL),
        lambda key: storage.sign_upload(key, 1, MEDIA_TYPE, SMALL.sha256, 60),
        storage.describe,
        lambda key: storage.read(key, 0, 1),
        lambda key: taken(storage, key, 0, 1),
        storage.remove,
    ]
    for key in ("", "/etc/passwd", "../secret", "attachments/../x", "a/.hidden", "a//b", "a\n", "ä", "A"):
        for call in calls:
            with pytest.raises(ValueError, match="a key is"):
                await call(key)


async def test_who_puts_may_be_cancelled_at_any_time(storage: Storage) -> None:
    """It is there whole then, or not at all; and another comes through."""
    large = Content(8_000_000)
    for delay in (0, 0.001, 0.005, 0.02, 0.05):
        key = new_key()
        putting = asyncio.create_task(put(storage, key, large))
        await asyncio.sleep(delay)
        putting.cancel()
        await asyncio.gather(putting, return_exceptions=True)
        assert await storage.describe(key) in {None, large.stored}
    assert await storage.describe(await stored(storage, SMALL)) == SMALL.stored


async def test_streams_that_are_left_early_leave_nothing_open(storage: Storage) -> None:
    key = await stored(storage, Content(8_000_000))
    before = _held()
    for _ in range(2 * TRANSFERS):
        async with storage.stream(key, 0, 8_000_000) as chunks:
            assert len(await anext(chunks)) == CHUNK_BYTES
    assert await eventually(lambda: _is(_held() <= before), 5)


async def test_streams_that_nobody_reads_keep_nothing_else_waiting(storage: Storage) -> None:
    """As many as there may be."""
    key = await stored(storage, Content(8_000_000))
    async with AsyncExitStack() as stack:
        for _ in range(TRANSFERS):
            await stack.enter_async_context(storage.stream(key, 0, 8_000_000))
        async with asyncio.timeout(5):
            await storage.check()
            other = await stored(storage, SMALL)
            assert await storage.read(other, 0, 1) == SMALL.data[:1]


async def test_who_streams_may_fail_or_be_cancelled(storage: Storage) -> None:
    key = await stored(storage, Content(8_000_000))
    before = _held()

    async def read_slowly() -> None:
        async with storage.stream(key, 0, 8_000_000) as chunks:
            async for _ in chunks:
                await asyncio.sleep(60)

    reading = [asyncio.create_task(read_slowly()) for _ in range(4)]
    await asyncio.sleep(0.1)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    with pytest.raises(ZeroDivisionError):
        await _fail_at_the_first_chunk(storage, key)
    assert await eventually(lambda: _is(_held() <= before), 5)


async def test_many_at_once(storage: Storage) -> None:
    contents = [Content(100_000, seed) for seed in range(3 * TRANSFERS)]
    keys = await asyncio.gather(*(stored(storage, content) for content in contents))
    parts = await asyncio.gather(*(storage.read(key, 0, 100_000) for key in keys))
    assert parts == [content.data for content in contents]


async def test_it_is_well(storage: Storage) -> None:
    await storage.check()


async def _fail_at_the_first_chunk(storage: Storage, key: str) -> None:
    async with storage.stream(key, 0, 8_000_000) as chunks:
        async for _ in chunks:
            raise ZeroDivisionError


def _held() -> int:
    """Descriptors of this process: files, and connections."""
    return psutil.Process().num_fds()


async def _is(truth: bool) -> bool:
    return truth
