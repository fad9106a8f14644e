"""PDF by ISO 32000-2, 7.5: its header, its end, and the cross-reference that the end tells the place of.

Objects are not read: a PDF of any size costs three reads, and what is within it is for the reader's sandbox.
"""

import re

from inventory_api.attachments.content import Content
from inventory_api.errors import ContentMismatch

HEADER = re.compile(rb"%PDF-[12]\.[0-9]")
HEADER_BYTES = 8
# Readers look for it in so much of the end.
TAIL_BYTES = 1024
START = b"startxref"
# Behind the last line there is at most white space (7.2.3): a line end, and what some tools fill up with.
END = re.compile(rb"startxref[ \t\f\r\n]{1,8}+([0-9]{1,15}+)[ \t\f\r\n]{1,8}+%%EOF[\0 \t\f\r\n]*+")
# A table (7.5.4), or a stream (7.5.8), before whose type there may be a long list of what it covers.
TABLE = re.compile(rb"[ \t\f\r\n]{0,8}+xref[ \t\f\r\n]{1,8}+[0-9]{1,10}+[ \t]{1,8}+[0-9]{1,10}+[ \t\f\r\n]")
STREAM = re.compile(
    rb"[ \t\f\r\n]{0,8}+[0-9]{1,10}+[ \t\f\r\n]{1,8}+[0-9]{1,5}+[ \t\f\r\n]{1,8}+obj[ \t\f\r\n]{0,8}+<<"
)
STREAM_TYPE = re.compile(rb"/Type[ \t\f\r\n]{0,8}+/XRef\b")
CROSS_REFERENCE_BYTES = 64 * 1024


def inspect(content: Content) -> None:
    """Read those three places.

    Raises:
        ContentMismatch: one of them is not as it is in a PDF, or there is something before or behind it.
    """
    if not HEADER.fullmatch(content.read(0, HEADER_BYTES)):
        raise ContentMismatch("The content does not begin as a PDF.")
    place, tail_start = _cross_reference_place(content)
    if place >= tail_start:
        raise ContentMismatch("The PDF's cross-reference is not within it.")
    found = content.read(place, min(CROSS_REFERENCE_BYTES, tail_start - place))
    if TABLE.match(found):
        return
    if not STREAM.match(found) or not STREAM_TYPE.search(found.partition(b"stream")[0]):
        raise ContentMismatch("The PDF's cross-reference is not where its end says.")


def _cross_reference_place(content: Content) -> tuple[int, int]:
    """Where the cross-reference is, and where the lines that say so begin."""
    start = max(content.size - TAIL_BYTES, 0)
    tail = content.read(start, TAIL_BYTES)
    at = tail.rfind(START)
    if at < 0:
        raise ContentMismatch("The PDF has no end: it is cut, or has data behind it.")
    end = END.fullmatch(tail, at)
    if not end:
        raise ContentMismatch("The PDF's end is not as it must be, or has data behind it.")
    return int(end[1]), start + at
