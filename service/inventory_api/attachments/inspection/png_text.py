"""What a PNG holds compressed beside its pixels (third edition, 11.3.2.3, 11.3.3): texts and a colour profile."""

import zlib

from inventory_api.attachments.inspection.inflating import InflatesTooFar, inflated_size
from inventory_api.errors import ContentMismatch

TYPES = frozenset({b"zTXt", b"iTXt", b"iCCP"})
# As they are: to inflate a megabyte takes up to a tenth of a second, whatever comes out. And inflated.
MAX_BYTES, MAX_BYTES_TOGETHER = 2 * 1024 * 1024, 4 * 1024 * 1024
MAX_INFLATED_BYTES, MAX_INFLATED_BYTES_TOGETHER = 8 * 1024 * 1024, 16 * 1024 * 1024
DEFLATE = b"\0"


class Texts:
    """Those of one PNG, which are bounded together as well."""

    def __init__(self) -> None:
        self._bytes = 0
        self._inflated_bytes = 0

    def add(self, chunk_type: bytes, size: int, data: bytes) -> None:
        """`data` is all of it, or its first `MAX_BYTES`; what is not compressed is bounded by the file alone.

        Raises:
            ContentMismatch: they are too many bytes, or cannot be inflated.
        """
        compressed = _compressed(chunk_type, data)
        if compressed is None:
            return
        self._bytes += size
        if size > MAX_BYTES or self._bytes > MAX_BYTES_TOGETHER:
            raise _too_large()
        most = min(MAX_INFLATED_BYTES, MAX_INFLATED_BYTES_TOGETHER - self._inflated_bytes)
        try:
            self._inflated_bytes += inflated_size(compressed, most)
        except InflatesTooFar:
            raise _too_large() from None
        except zlib.error:
            raise ContentMismatch("The PNG has a text or a profile that cannot be inflated.") from None


def _compressed(chunk_type: bytes, data: bytes) -> memoryview | None:
    """What follows the keyword, and in iTXt whether it is compressed, and two texts more."""
    at = _behind_text(data, 0)
    if chunk_type == b"iTXt":
        if data[at : at + 1] == b"\0":
            return None
        at += 1
    if data[at : at + 1] != DEFLATE:
        raise ContentMismatch("The PNG has a text or a profile that is compressed in a way that there is not.")
    at += 1
    if chunk_type == b"iTXt":
        at = _behind_text(data, _behind_text(data, at))
    return memoryview(data)[at:]


def _behind_text(data: bytes, start: int) -> int:
    """Behind the byte that ends it; of what has none, the end."""
    end = data.find(b"\0", start)
    return end + 1 if end >= 0 else len(data)


def _too_large() -> ContentMismatch:
    return ContentMismatch("The PNG's texts and profiles are too large.")
