"""What compressed data would become, without it being held. Pure."""

import zlib

STEP_BYTES = 1024 * 1024


class InflatesTooFar(ValueError):
    """It becomes more than the caller admits."""


def inflated_size(data: bytes | memoryview, most: int) -> int:
    """In bytes, of a zlib stream (RFC 1950). What is behind the stream is not looked at.

    Raises:
        InflatesTooFar: it is more than `most`; hardly more than that was inflated.
        zlib.error: it is no such stream, or is cut.
    """
    inflater = zlib.decompressobj()
    size = 0
    while not inflater.eof:
        produced = inflater.decompress(data, STEP_BYTES)
        data = inflater.unconsumed_tail
        size += len(produced)
        if size > most:
            raise InflatesTooFar
        if not produced and not inflater.eof:
            raise zlib.error("The stream is cut.")
    return size
