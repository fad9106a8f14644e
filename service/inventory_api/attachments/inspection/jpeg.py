"""JPEG by ITU-T T.81, annex B: its segments one after the other, and between them coded data, up to its end.

Nothing is decoded: what the coded data are is for the decoder, but there must be as many as its size needs at least.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from inventory_api.attachments.content import Reader
from inventory_api.attachments.inspection import jpeg_frame, markup
from inventory_api.errors import ContentMismatch

START = b"\xff\xd8"
END, SCAN, QUANTIZATION, HUFFMAN, RESTART_INTERVAL, COMMENT = 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE
# Baseline, extended, progressive. Common decoders read no lossless and no hierarchical ones, few of them arithmetic
# coding, and none a number of lines behind the first scan (DNL), which would say the height too late.
FRAMES = frozenset(jpeg_frame.PRECISIONS)
SKIPPED = frozenset({QUANTIZATION, HUFFMAN, RESTART_INTERVAL, COMMENT, *range(0xE0, 0xF0)})
LENGTH = struct.Struct(">H")
# 64 MiB of segments that are all as long as they can be are 1024 of them; a progressive image has about ten scans.
MAX_SEGMENTS = 4096
MAX_SCANS = 100
# Where a marker is in coded data: there a byte FF is followed by 00, restarts are part of them, and FF may be repeated
# before a marker (B.1.1.2, B.1.1.5). It is two bytes, so that none is looked at again, however many FF there are.
MARKER = re.compile(rb"\xff[^\xff\x00\xd0-\xd7]")
NOT_FILLING = re.compile(rb"[^\xff]")
# What is before the first length is a name in JavaScript. With these, what follows is a comment or a text, in which may
# be whatever a segment has in it; behind any other that may follow a name, nothing that a camera writes is script.
SCRIPT_OPENINGS = frozenset({b"/*", b"//", b'="', b"='", b"=`"})
LEAST_ASCII_LENGTH = 0x0900
KNOWN = re.compile(rb"JFIF\0|JFXX\0|Exif\0|Adobe|ICC_PROFILE\0|http://ns\.adobe\.com/|Photoshop 3\.0\0|MPF\0|Ducky\0")


class Segment(NamedTuple):
    """Its kind is the second byte of its marker. Data are only of what is looked at: frames and scans."""

    kind: int
    data: bytes


def inspect(reader: Reader) -> None:
    """Go once through it.

    Raises:
        ContentMismatch: it is not a JPEG, has something behind its end, or would be dear to decode.
    """
    if reader.peek(len(START)) != START:
        raise ContentMismatch("The content does not begin as a JPEG.")
    if _begins_as_script(reader.peek(64)):
        raise ContentMismatch("The JPEG begins as a script as well.")
    markup.refuse(reader)
    reader.skip(len(START))
    kinds: list[int] = []
    frame: jpeg_frame.Frame | None = None
    coded_bytes = 0
    for segment in _segments(reader):
        if segment.kind in FRAMES:
            if frame:
                raise ContentMismatch("The JPEG has two frames.")
            frame = jpeg_frame.parse_frame(*segment)
        elif segment.kind == SCAN:
            if not frame or not {QUANTIZATION, HUFFMAN}.issubset(kinds):
                raise ContentMismatch("The JPEG has a scan before its frame or its tables.")
            frame.check_scan(segment.data)
            coded_bytes += _skip_coded(reader)
        kinds.append(segment.kind)
        if kinds.count(SCAN) > MAX_SCANS:
            raise ContentMismatch("The JPEG has too many scans.")
    if reader.left:
        raise ContentMismatch("The JPEG has data behind its end.")
    if not frame or coded_bytes * 8 < frame.least_coded_bits:
        raise ContentMismatch("The JPEG's pixels are not as many as its frame says.")


def _begins_as_script(head: bytes) -> bool:
    """By the length of its first segment, if that can be read as text."""
    length = head[4:6]
    if length in SCRIPT_OPENINGS:
        return True
    return int.from_bytes(length) >= LEAST_ASCII_LENGTH and not KNOWN.match(head, 6)


def _segments(reader: Reader) -> Iterator[Segment]:
    """Those up to the end of the image; of a scan, only what is before its coded data."""
    for _ in range(MAX_SEGMENTS):
        kind = _marker(reader)
        if kind == END:
            return
        if kind not in FRAMES | SKIPPED | {SCAN}:
            raise ContentMismatch("The JPEG has a segment of a kind that is not accepted.")
        (length,) = LENGTH.unpack(reader.take(LENGTH.size))
        if length < LENGTH.size:
            raise ContentMismatch("The JPEG has a segment without a length.")
        if kind in SKIPPED:
            reader.skip(length - LENGTH.size)
            yield Segment(kind, b"")
        else:
            yield Segment(kind, reader.take(length - LENGTH.size))
    raise ContentMismatch("The JPEG has too many segments.")


def _marker(reader: Reader) -> int:
    if reader.take(1) != b"\xff":
        raise ContentMismatch("The JPEG has something between its segments.")
    reader.seek(NOT_FILLING, 1)
    return reader.take(1)[0]


def _skip_coded(reader: Reader) -> int:
    """How many bytes there are up to the next marker."""
    left = reader.left
    if not reader.seek(MARKER, 2):
        raise ContentMismatch("The JPEG has no end.")
    return left - reader.left
