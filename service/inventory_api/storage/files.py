"""Objects in a directory of this machine, for `inventory-api dev` and tests."""

import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from inventory_api.storage import promise as promises
from inventory_api.storage.disk import on_disk
from inventory_api.storage.file_format import Incoming, read_head
from inventory_api.storage.model import (
    CHUNK_BYTES,
    ObjectMissing,
    SignedRequest,
    StorageUnavailable,
    StoredObject,
    WrongSize,
    check_key,
)

SIGNING_KEY = ".signing-key"
INCOMING = ".incoming"
LEFTOVER_SECONDS = 3600


class FileStorage:
    """Each object is a file with the name of its key. What uploads it directly comes to this service, see `receive`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._incoming = directory / INCOMING
        self._signing_key: bytes | None = None

    async def open(self) -> None:
        """Also removes what was being written when the machine or the service was stopped."""
        with suppress(StorageUnavailable):
            await on_disk(self._prepare)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def put(self, key: str, file: IO[bytes], size: int, media_type: str, sha256: str) -> None:
        descriptor = file.fileno()
        if os.fstat(descriptor).st_size != size:
            raise WrongSize
        await self.receive(key, StoredObject(size, media_type, sha256), _of_file(descriptor, size))

    async def sign_upload(self, key: str, size: int, media_type: str, sha256: str, seconds: int) -> SignedRequest:
        """Its URL is a path of this service, whose route asks `verify_upload` and has the body by `receive`."""
        expires = int(time.time()) + seconds
        return promises.signed(await self._key(), check_key(key), StoredObject(size, media_type, sha256), expires)

    async def verify_upload(self, key: str, query: Mapping[str, str], headers: Mapping[str, str]) -> StoredObject:
        """What was promised of the body of a request, by its query and its headers, whose names are in lower case.

        Raises:
            SignatureRefused: such a request was not signed, or its time is over.
        """
        return promises.verified(await self._key(), check_key(key), query, headers)

    async def receive(self, key: str, promise: StoredObject, chunks: AsyncIterator[bytes]) -> None:
        """Store what comes, if it is what was promised. Nothing is left of it else, nor where it is cancelled.

        Raises:
            WrongSize, WrongChecksum: it is something else.
        """
        path = self._path(key)
        incoming = Incoming(self._incoming, promise)
        try:
            await on_disk(incoming.begin)
            async for chunk in chunks:
                await on_disk(incoming.write, chunk)
            await on_disk(incoming.finish, path)
        finally:
            await on_disk(incoming.discard)

    async def sign_download(self, key: str, seconds: int, media_type: str, disposition: str) -> str | None:
        """None: this service answers with it."""
        del key, seconds, media_type, disposition
        return None

    async def describe(self, key: str) -> StoredObject | None:
        return await on_disk(self._described, self._path(key))

    async def read(self, key: str, start: int, length: int) -> bytes:
        return await on_disk(self._read, self._path(key), start, length)

    @asynccontextmanager
    async def stream(self, key: str, start: int, length: int) -> AsyncIterator[AsyncIterator[bytes]]:
        file = await on_disk(self._opened_at, self._path(key), start)
        try:
            async with aclosing(_chunks(file, length)) as chunks:
                yield chunks
        finally:
            await on_disk(file.close)

    async def remove(self, key: str) -> None:
        await on_disk(self._removed, self._path(key))

    async def check(self) -> None:
        await on_disk(self._require_directory)

    async def _key(self) -> bytes:
        if self._signing_key is None:
            self._signing_key = await on_disk(promises.signing_key, self._directory / SIGNING_KEY)
        return self._signing_key

    def _path(self, key: str) -> Path:
        return self._directory / check_key(key)

    def _prepare(self) -> None:
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        began = time.time() - LEFTOVER_SECONDS
        for left in self._incoming.iterdir():
            if left.stat().st_mtime < began:
                left.unlink(missing_ok=True)

    def _require_directory(self) -> None:
        os.stat(self._incoming)  # noqa: PTH116 -- for its error

    def _described(self, path: Path) -> StoredObject | None:
        try:
            with self._opened(path) as file:
                return read_head(file)
        except ObjectMissing:
            return None

    def _read(self, path: Path, start: int, length: int) -> bytes:
        with self._opened_at(path, start) as file:
            return file.read(length)

    def _opened_at(self, path: Path, start: int) -> BinaryIO:
        file = self._opened(path)
        try:
            read_head(file)
            file.seek(start, os.SEEK_CUR)
        except BaseException:
            file.close()
            raise
        return file

    def _opened(self, path: Path) -> BinaryIO:
        try:
            return path.open("rb")
        except FileNotFoundError:
            # Else all objects would be missing where the disk is.
            self._require_directory()
            raise ObjectMissing from None

    def _removed(self, path: Path) -> None:
        self._require_directory()
        path.unlink(missing_ok=True)


async def _of_file(descriptor: int, size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, CHUNK_BYTES):
        yield await on_disk(os.pread, descriptor, CHUNK_BYTES, start)


async def _chunks(file: BinaryIO, length: int) -> AsyncGenerator[bytes, None]:
    while length and (chunk := await on_disk(file.read, min(length, CHUNK_BYTES))):
        length -= len(chunk)
        yield chunk
