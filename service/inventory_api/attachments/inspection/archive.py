"""Files that are a ZIP archive as well: those are read from their end, so that any file may have one behind it."""

import re
import struct

from inventory_api.attachments.content import Content
from inventory_api.errors import ContentMismatch

# PKWARE APPNOTE 4.3.16: the end record, its comment at its end, and of what is before it, the locator of ZIP64.
END = re.compile(rb"PK\x05\x06")
END_RECORD = struct.Struct("<4s4xHHIIH")
LOCATOR, LOCATOR_BYTES = b"PK\x06\x07", 20
DIRECTORY = b"PK\x01\x02"
# They look as far as a comment may be long; Info-ZIP up to 8 KiB further.
TAIL_BYTES = 2 * 0xFFFF
# By chance, a tail has one in 65,000 times. What has many would have each looked up.
MAX_END_RECORDS = 16


def refuse(content: Content) -> None:
    """Look for an end record where tools do. One read, unless there is one.

    Raises:
        ContentMismatch: it can be opened as a ZIP archive.
    """
    tail_start = max(content.size - TAIL_BYTES, 0)
    tail = content.read(tail_start, TAIL_BYTES)
    for number, found in enumerate(END.finditer(tail), 1):
        if number > MAX_END_RECORDS or _is_archive(content, tail, tail_start, found.start()):
            raise ContentMismatch("The content can be opened as a ZIP archive as well.")


def _is_archive(content: Content, tail: bytes, tail_start: int, at: int) -> bool:
    """Whether the four bytes there are more than that: it ends with the file, or has a directory.

    Tools accept bytes behind an archive, and before it, where offsets count from the archive's own beginning: the
    directory is right before its end record, or at its offset.
    """
    if len(tail) - at < END_RECORD.size:
        return False
    _, _, _, directory_bytes, directory_start, comment_bytes = END_RECORD.unpack_from(tail, at)
    if at + END_RECORD.size + comment_bytes == len(tail):
        return True
    if at >= LOCATOR_BYTES and tail.startswith(LOCATOR, at - LOCATOR_BYTES):
        return True
    places = {tail_start + at - directory_bytes, directory_start}
    return any(_is_directory(content, place) for place in places if 0 <= place < tail_start + at)


def _is_directory(content: Content, place: int) -> bool:
    return content.read(place, len(DIRECTORY)) == DIRECTORY
