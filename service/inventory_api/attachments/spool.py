"""A file that is being received: on disk and without a name, so that nothing of it is left, whatever ends."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, ParamSpec, Self, TypeVar

from inventory_api.errors import DependencyUnavailable, PayloadTooLarge
from inventory_api.threads import in_thread

# Of each write, which a thread does.
WRITE_BYTES = 262_144

P = ParamSpec("P")
T = TypeVar("T")


class Spool:
    """Takes at most `most_bytes`; `size` in bytes and `sha256` in hex are those of what was written."""

    def __init__(self, directory: Path | None, most_bytes: int) -> None:
        self._directory = directory
        self._most_bytes = most_bytes
        self._pending = bytearray()
        self._digest = hashlib.sha256()
        self.size = 0

    async def __aenter__(self) -> Self:
        self.file: IO[bytes] = await _on_disk(self._opened)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.file.close()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def write(self, chunk: bytes) -> None:
        """
        Raises:
            PayloadTooLarge: it has become more than it may be.
            DependencyUnavailable: the disk is full.
        """
        self.size += len(chunk)
        if self.size > self._most_bytes:
            raise PayloadTooLarge(
                f"The file may be at most {self._most_bytes} bytes; larger ones are uploaded directly."
            )
        self._pending += chunk
        if len(self._pending) >= WRITE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Have all of it in the file; raises as `write`."""
        pending, self._pending = self._pending, bytearray()
        await _on_disk(self._write, pending)

    def _opened(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._directory, buffering=0)

    def _write(self, pending: bytearray) -> None:
        self._digest.update(pending)
        with memoryview(pending) as left:
            written = 0
            while written < len(left):
                written += self.file.write(left[written:])


async def _on_disk(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    try:
        return await in_thread(work, *arguments, **named)
    except OSError as error:
        raise DependencyUnavailable("There is no room for the upload.") from error
