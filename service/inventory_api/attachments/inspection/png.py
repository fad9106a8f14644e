"""PNG, third edition: its signature (5.2), its chunks (5.3) and their order (5.6).

The pixels are not inflated: what they are is for the decoder, but as many bytes must be there as they need at least.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from inventory_api.attachments.content import Reader
from inventory_api.attachments.inspection import markup, png_header, png_text
from inventory_api.errors import ContentMismatch

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK_HEAD = struct.Struct(">I4s")
CHECKSUM = struct.Struct(">I")
CHUNK_TYPE = re.compile(rb"[A-Za-z]{4}")
# Encoders write the pixels by 8 KiB or more: so are the 64 MiB of a large image, four times over.
MAX_CHUNKS = 32_768
# The critical chunks that there are, by a letter for the order of all.
CRITICAL = {b"IHDR": "H", b"PLTE": "P", b"IDAT": "D", b"IEND": "E"}
ANCILLARY = "a"
ORDER = re.compile("a*+(?:Pa*+)?D++a*+E")
# How much of a chunk is looked at; the rest is only summed.
KEPT_BYTES = {b"IHDR": png_header.BYTES, b"IDAT": 2} | dict.fromkeys(png_text.TYPES, png_text.MAX_BYTES)
# Deflate makes 258 bytes of two bits at best (RFC 1951, 3.2.5).
MAX_EXPANSION = 1032


class Chunk(NamedTuple):
    """`data` is as much of it as is looked at, `size` is of all of it, in bytes."""

    type: bytes
    size: int
    data: bytes


def inspect(reader: Reader) -> None:
    """Go once through it.

    Raises:
        ContentMismatch: it is not a PNG, has something behind its end, or would be dear to decode.
    """
    if reader.peek(len(SIGNATURE)) != SIGNATURE:
        raise ContentMismatch("The content does not begin as a PNG.")
    markup.refuse(reader)
    reader.skip(len(SIGNATURE))
    first = _chunk(reader)
    if first.type != b"IHDR":
        raise ContentMismatch("The PNG does not begin with its header.")
    header = png_header.parse(first.data, first.size)
    order, pixels, pixels_bytes, texts = "", b"", 0, png_text.Texts()
    for chunk in _chunks(reader):
        order += CRITICAL.get(chunk.type, ANCILLARY)
        if chunk.type == b"PLTE":
            header.check_palette(chunk.size)
        elif chunk.type == b"IDAT":
            pixels = (pixels + chunk.data)[:2]
            pixels_bytes += chunk.size
        elif chunk.type in png_text.TYPES:
            texts.add(*chunk)
    if reader.left:
        raise ContentMismatch("The PNG has data behind its end.")
    if not ORDER.fullmatch(order) or (header.needs_palette and "P" not in order):
        raise ContentMismatch("The PNG's palette or pixels are missing, or chunks are out of order.")
    if not _is_zlib(pixels) or pixels_bytes * MAX_EXPANSION < header.raw_bytes:
        raise ContentMismatch("The PNG's pixels are not as many as its header says.")


def _chunks(reader: Reader) -> Iterator[Chunk]:
    """Those up to the end of the image."""
    for _ in range(MAX_CHUNKS):
        chunk = _chunk(reader)
        yield chunk
        if chunk.type == b"IEND":
            if chunk.size:
                raise ContentMismatch("The PNG's end is not empty.")
            return
    raise ContentMismatch("The PNG has too many chunks.")


def _chunk(reader: Reader) -> Chunk:
    size, chunk_type = CHUNK_HEAD.unpack(reader.take(CHUNK_HEAD.size))
    if not CHUNK_TYPE.fullmatch(chunk_type):
        raise ContentMismatch("The PNG has a chunk whose type is not of four letters.")
    if chunk_type[:1].isupper() and chunk_type not in CRITICAL:
        raise ContentMismatch("The PNG has a critical chunk that is not known.")
    if size > reader.left - CHECKSUM.size:
        raise ContentMismatch("The PNG has a chunk that ends behind the content.")
    data = reader.take(min(size, KEPT_BYTES.get(chunk_type, 0)))
    checksum = zlib.crc32(data, zlib.crc32(chunk_type))
    for piece in reader.pieces(size - len(data)):
        checksum = zlib.crc32(piece, checksum)
    if reader.take(CHECKSUM.size) != CHECKSUM.pack(checksum):
        raise ContentMismatch("The PNG has a chunk whose checksum is wrong.")
    return Chunk(chunk_type, size, data)


def _is_zlib(head: bytes) -> bool:
    """RFC 1950, 2.2: deflate, a window of at most 32 KiB, no dictionary, and the check of both bytes."""
    method, flags = head.ljust(2, b"\0")
    return method & 0x0F == 8 and method >> 4 <= 7 and not flags & 0x20 and (method << 8 | flags) % 31 == 0  # noqa: PLR2004
