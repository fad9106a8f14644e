"""What a PNG holds compressed beside its pixels (third edition, 11.3.2.3, 11.3.3): texts and a colour profile."""

import zlib

from inventory_api.attachments.inspection.inflating import InflatesTooFar, inflated_size
from inventory_api.errors import ContentMismatch

TYPES = frozenset({b"zTXt", b"iTXt", b"iCCP"})
# Of one, as it is and inflated; of all together, inflated.
MAX_BYTES = 8 * 1024 * 1024
MAX_BYTES_TOGETHER = 2 * MAX_BYTES
DEFLATE = b"\0"


def inflated_text_size(chunk_type: bytes, size: int, data: bytes) -> int:
    """How many bytes it becomes; 0 where it is not compressed. `data` is all of it, or its first `MAX_BYTES`.

    Raises:
        ContentMismatch: they are too many, or it cannot be inflated.
    """
    if size > MAX_BYTES:
        raise _too_large()
    compressed = _compressed(chunk_type, data)
    if compressed is None:
        return 0
    try:
        return inflated_size(compressed, MAX_BYTES)
    except InflatesTooFar:
        raise _too_large() from None
    except zlib.error:
        raise ContentMismatch("The PNG has a text or a profile that cannot be inflated.") from None


def check_together(size: int) -> None:
    """Whether all of them may become so many bytes.

    Raises:
        ContentMismatch: they may not.
    """
    if size > MAX_BYTES_TOGETHER:
        raise _too_large()


def _compressed(chunk_type: bytes, data: bytes) -> bytes | None:
    """What follows the keyword, and in iTXt whether it is compressed, and two texts more."""
    _, _, rest = data.partition(b"\0")
    if chunk_type != b"iTXt":
        method, compressed = rest[:1], rest[1:]
    elif rest[:1] == b"\0":
        return None
    else:
        method, compressed = rest[1:2], rest[2:].split(b"\0", 2)[-1]
    if method != DEFLATE:
        raise ContentMismatch("The PNG has a text or a profile that is compressed in a way that there is not.")
    return compressed


def _too_large() -> ContentMismatch:
    return ContentMismatch("The PNG's texts and profiles are too large.")
