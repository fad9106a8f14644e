"""Contents to be stored, and storing them."""

import hashlib
import random
import tempfile
import uuid
from dataclasses import dataclass

from inventory_api.storage.model import Storage, StoredObject

MEDIA_TYPE = "text/plain; charset=utf-8"
# So many contents are on their way at once in what is tested.
TRANSFERS = 16


@dataclass(frozen=True)
class Content:
    """`size` bytes that are the same each time, for the same seed."""

    size: int
    seed: int = 0

    @property
    def data(self) -> bytes:
        return random.Random(self.seed).randbytes(self.size)  # noqa: S311 -- hides nothing

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def stored(self) -> StoredObject:
        """As the storage describes it."""
        return StoredObject(self.size, MEDIA_TYPE, self.sha256)


def new_key() -> str:
    return f"attachments/{uuid.uuid4()}"


async def put(
    storage: Storage, key: str, content: Content, *, size: int | None = None, sha256: str | None = None
) -> None:
    """From a file without a name, as uploads are received; said to be what it is, or something else."""
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(content.data)
        said = content.size if size is None else size
        await storage.put(key, file, said, MEDIA_TYPE, sha256 or content.sha256)


async def stored(storage: Storage, content: Content) -> str:
    """The key that it is stored by."""
    key = new_key()
    await put(storage, key, content)
    return key


async def taken(storage: Storage, key: str, start: int, length: int) -> list[bytes]:
    """Its chunks."""
    async with storage.stream(key, start, length) as chunks:
        return [chunk async for chunk in chunks]
