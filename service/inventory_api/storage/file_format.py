"""One object as one file: a line of JSON that tells what it is, and then its bytes.

It is written under another name, and has its own when it is on the disk as a whole.
"""

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import IO

from inventory_api.storage.model import StoredObject, WrongChecksum, WrongSize

MAX_HEAD_BYTES = 4096


class Incoming:
    """An object that is being written: `begin`, `write` as often as needed, `finish`; in any case `discard`. It blocks.

    What is written is gone with `discard` if it was not finished.
    """

    def __init__(self, directory: Path, promise: StoredObject) -> None:
        """`directory` is on the disk where the object will be."""
        self._promise = promise
        self._digest = hashlib.sha256()
        self._size = 0
        self._path = directory / secrets.token_hex(16)
        self._descriptor: int | None = None

    def begin(self) -> None:
        """Make the file, which nobody else may read."""
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._write(_head(self._promise))

    def write(self, chunk: bytes) -> None:
        """
        Raises:
            WrongSize: it is more than was promised.
        """
        self._size += len(chunk)
        if self._size > self._promise.size:
            raise WrongSize
        self._digest.update(chunk)
        self._write(chunk)

    def finish(self, path: Path) -> None:
        """It is there from now on, also after a loss of power.

        Raises:
            WrongSize, WrongChecksum: it is not what was promised.
        """
        if self._size != self._promise.size:
            raise WrongSize
        if self._digest.hexdigest() != self._promise.sha256:
            raise WrongChecksum
        os.fsync(self._opened())
        path.parent.mkdir(exist_ok=True)
        self._path.rename(path)
        _sync(path.parent)

    def discard(self) -> None:
        """Twice is fine."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(descriptor)

    def _write(self, data: bytes) -> None:
        with memoryview(data) as left:
            written = 0
            while written < len(left):
                written += os.write(self._opened(), left[written:])

    def _opened(self) -> int:
        if self._descriptor is None:
            raise RuntimeError("the object was not begun, or was discarded")
        return self._descriptor


def read_head(file: IO[bytes]) -> StoredObject:
    """What the object is; its bytes follow from where the file then is.

    Raises:
        OSError: it is not an object's file.
    """
    try:
        size, media_type, sha256 = json.loads(file.readline(MAX_HEAD_BYTES))
    except (ValueError, TypeError) as error:
        raise OSError("it is not the file of an object") from error
    return StoredObject(size, media_type, sha256)


def _head(promise: StoredObject) -> bytes:
    return json.dumps([promise.size, promise.media_type, promise.sha256]).encode() + b"\n"


def _sync(directory: Path) -> None:
    """The names in it are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
