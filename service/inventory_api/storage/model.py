"""What a storage of objects does, whichever it is, and what it says when it cannot."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import IO, ClassVar, Literal, Protocol

from inventory_api.errors import ContentMismatch, DependencyUnavailable

CHUNK_BYTES = 262_144
# Without dots: no part of it leads out of a directory, or names what is hidden there.
KEY = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)*")

Failure = Literal["timeout", "unavailable", "full", "denied"]


class StorageUnavailable(DependencyUnavailable):
    """The storage did not do it. `failure` tells why, in one word for metrics; what has led to it is the cause."""

    MESSAGES: ClassVar[Mapping[Failure, str]] = {
        "timeout": "The storage did not answer in time.",
        "unavailable": "The storage is not available.",
        "full": "The storage is full.",
        "denied": "The storage refuses this service's credentials.",
    }

    def __init__(self, failure: Failure) -> None:
        super().__init__(self.MESSAGES[failure])
        self.failure = failure


class ObjectMissing(Exception):
    """There is no object with this key."""


class WrongSize(ContentMismatch):
    """There are more bytes than was said, or fewer."""

    def __init__(self) -> None:
        super().__init__("The content has another size than was promised.")


class WrongChecksum(ContentMismatch):
    """They are as many as was said, but not those."""

    def __init__(self) -> None:
        super().__init__("The content has another checksum than was promised.")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the storage knows of an object: `size` in bytes, `sha256` in lower-case hex, None where it kept none.

    `encoding`: as what its `Content-Encoding` would be sent.
    """

    size: int
    media_type: str
    sha256: str | None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that whoever has it may make, with all of these headers, and a body that is what they say."""

    method: str
    url: str
    headers: Mapping[str, str]


class Storage(Protocol):
    """Objects by their keys, as `check_key` admits them. An object is there whole, or not at all.

    Sizes are in bytes, checksums are SHA-256 in lower-case hex. Every wait is bounded. What is not said of a method:

    Raises:
        StorageUnavailable: the storage did not do it.
        ValueError: it is no key.
    """

    async def open(self) -> None:
        """Neither fails nor waits where the storage does not answer."""

    async def close(self) -> None:
        """Whatever is still under way, fails."""

    async def put(self, key: str, file: IO[bytes], size: int, media_type: str, sha256: str) -> None:
        """Store the whole of a file that has a descriptor; its position is moved. It takes the place of an older one.

        Raises:
            WrongSize, WrongChecksum: the file is not what is said of it. Nothing is stored then.
        """

    async def sign_upload(self, key: str, size: int, media_type: str, sha256: str, seconds: int) -> SignedRequest:
        """A request that stores exactly that, for so many seconds from now. The storage takes no other content."""

    async def sign_download(self, key: str, seconds: int, media_type: str, disposition: str) -> str | None:
        """A URL of the object, which answers with these headers, and is kept by no cache.

        None where the storage serves nobody but this one.
        """

    async def describe(self, key: str) -> StoredObject | None:
        """What is known of it; None if it is not there."""

    async def read(self, key: str, start: int, length: int) -> bytes:
        """So many bytes from there on, at least one; fewer only where the object ends.

        Raises:
            ObjectMissing: it is not there.
        """

    def stream(self, key: str, start: int, length: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """As `read`, in chunks of at most `CHUNK_BYTES`, which are read no faster than they are taken.

        Entered, it has begun: what can be known to fail by then, fails then. Left early, it reads no further.
        """

    async def remove(self, key: str) -> None:
        """It is not there afterwards, whether or not it was before."""

    async def check(self) -> None:
        """Whether the storage answers, and takes this service for one that may ask."""


def check_key(key: str) -> str:
    """The key.

    Raises:
        ValueError: it is none: lower-case letters, digits and hyphens, in parts with a slash between them.
    """
    if not KEY.fullmatch(key):
        raise ValueError("a key is of lower-case letters, digits and hyphens, in parts with a slash between them")
    return key
