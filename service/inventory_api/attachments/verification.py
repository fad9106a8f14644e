"""Whether an object is what was promised: looked at where it is, in parts."""

import asyncio
import hashlib
from concurrent.futures import Future
from contextlib import closing

from inventory_api.attachments.detecting import HEAD_BYTES
from inventory_api.attachments.inspecting import Inspector
from inventory_api.attachments.model import Attachment, key
from inventory_api.attachments.receiving import check_detected
from inventory_api.errors import ContentMismatch
from inventory_api.storage.model import Storage, StorageUnavailable, StoredObject

PART_BYTES = 1_048_576
# More than one read takes by its own bounds.
READ_SECONDS = 30.0


async def verify(storage: Storage, attachment: Attachment, found: StoredObject, inspector: Inspector) -> None:
    """
    Raises:
        ContentMismatch: it is something else.
        ObjectMissing: it is gone.
        DependencyUnavailable: the storage does not answer.
    """
    promise = attachment.promise
    if found.size != promise.size:
        raise ContentMismatch("The object has another size than was promised.")
    if found.encoding:
        raise ContentMismatch("The object was uploaded as an encoded one.")
    if found.media_type != promise.content_type:
        raise ContentMismatch("The object was uploaded as another type than was promised.")
    with closing(StoredContent(storage, key(attachment.id), promise.size)) as content:
        if (found.sha256 or await content.sha256()) != promise.sha256:
            raise ContentMismatch("The object has another checksum than was promised.")
        await check_detected(promise.content_type, await content.head(), inspector)
        await inspector.inspect(promise.content_type, content)


class StoredContent:
    """An object as `inspect` reads it, from a thread; the event loop that it was made in does the reading."""

    def __init__(self, storage: Storage, name: str, size: int) -> None:
        self.size = size
        self._storage = storage
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        self._reading: Future[bytes] | None = None

    def close(self) -> None:
        """What is being read is read no further."""
        self._is_closed = True
        if self._reading is not None:
            self._reading.cancel()

    async def head(self) -> bytes:
        return await self._storage.read(self._name, 0, min(HEAD_BYTES, self.size))

    async def sha256(self) -> str:
        """In hex, where the storage does not know it."""
        digest = hashlib.sha256()
        for start in range(0, self.size, PART_BYTES):
            digest.update(await self._storage.read(self._name, start, min(PART_BYTES, self.size - start)))
        return digest.hexdigest()

    def read(self, start: int, length: int) -> bytes:
        if self._is_closed:
            raise ValueError("the content is closed")
        length = max(min(length, self.size - start), 0)
        if not length:
            return b""
        self._reading = asyncio.run_coroutine_threadsafe(self._storage.read(self._name, start, length), self._loop)
        try:
            return self._reading.result(READ_SECONDS)
        except TimeoutError as error:
            self._reading.cancel()
            raise StorageUnavailable("timeout") from error
