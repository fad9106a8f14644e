"""The bytes of a file, wherever they are: at random, and one after the other by windows."""

import os
import re
from collections.abc import Iterator
from typing import IO, Protocol

from inventory_api.errors import ContentMismatch

# What one read of a storage costs is more than what a megabyte more of it does.
WINDOW_BYTES = 1024 * 1024


class Content(Protocol):
    """What is read at random. Each call may be a request to a storage, and blocks: it belongs in a thread."""

    @property
    def size(self) -> int:
        """In bytes."""

    def read(self, start: int, length: int) -> bytes:
        """So many bytes from there on; fewer only where the content ends."""


class ClosableContent(Content, Protocol):
    """One that somebody reads in a thread, for somebody who may leave."""

    def close(self) -> None:
        """Nobody waits any more: to read on raises `ValueError`."""


class FileContent:
    """A file of this machine; its position is neither used nor changed."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._descriptor = file.fileno()
        self._is_closed = False
        self.size = size

    def read(self, start: int, length: int) -> bytes:
        if self._is_closed:
            raise ValueError("the content is closed")
        return os.pread(self._descriptor, min(length, max(self.size - start, 0)), start)

    def close(self) -> None:
        """The file stays open."""
        self._is_closed = True


class Reader:
    """Goes once through a content, and holds one window of it, or what is taken at once if that is more."""

    def __init__(self, content: Content, window_bytes: int = WINDOW_BYTES) -> None:
        self._content = content
        self._window_bytes = window_bytes
        self._buffer = b""
        self._buffer_start = 0
        self._offset = 0  # of what comes next, in the buffer

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return self._content.size - self._buffer_start - self._offset

    def peek(self, length: int) -> bytes:
        """What comes next, and comes again; fewer bytes only where the content ends."""
        self._fill(length)
        return self._buffer[self._offset : self._offset + length]

    def take(self, length: int) -> bytes:
        """What comes next. The caller bounds the length: so much is held.

        Raises:
            ContentMismatch: the content ends before.
        """
        taken = self.peek(length)
        self.skip(length)
        if len(taken) != length:
            raise _cut()
        return taken

    def pieces(self, length: int) -> Iterator[bytes]:
        """What comes next, piece by piece, however long it is together.

        Raises:
            ContentMismatch: the content ends before.
        """
        while length:
            piece = self.take(min(length, self._window_bytes))
            length -= len(piece)
            yield piece

    def skip(self, length: int) -> None:
        """Leave out what comes next; it is not read.

        Raises:
            ContentMismatch: the content ends before.
        """
        if length > self.left:
            raise _cut()
        self._offset += length

    def seek(self, pattern: re.Pattern[bytes], longest: int) -> bool:
        """Go to where it matches next; False, if nowhere. What matches is at most `longest` bytes."""
        while True:
            self._fill(longest)
            found = pattern.search(self._buffer, self._offset)
            if found:
                self._offset = found.start()
                return True
            if len(self._buffer) - self._offset < longest:
                return False
            # It may have begun in the last bytes.
            self._offset = len(self._buffer) - longest + 1

    def _fill(self, length: int) -> None:
        """Have so many bytes in the buffer, or all that are left."""
        held = max(len(self._buffer) - self._offset, 0)
        if held >= min(length, self.left):
            return
        start = self._buffer_start + self._offset
        read = self._content.read(start + held, max(length - held, self._window_bytes))
        self._buffer = self._buffer[self._offset :] + read
        self._buffer_start, self._offset = start, 0


def _cut() -> ContentMismatch:
    return ContentMismatch("The content ends too early.")
