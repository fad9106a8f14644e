"""Which part of a content is asked for (RFC 9110, 14)."""

import re

from inventory_api.errors import RangeNotSatisfiable

ONE_RANGE = re.compile(r"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.IGNORECASE | re.ASCII)


def requested(header: str | None, if_range: str | None, etag: str, size: int) -> tuple[int, int] | None:
    """Where it begins and how long it is, in bytes; None for all of it.

    What cannot be read, several ranges, and a range of what has another ETag are no requests for a part (14.2).

    Raises:
        RangeNotSatisfiable: it begins behind the end.
    """
    match = ONE_RANGE.fullmatch(header) if header else None
    if match is None or (if_range is not None and if_range != etag):
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        if last and int(last) < start:
            return None
        length = min(int(last) + 1 if last else size, size) - start
    if length <= 0:
        raise RangeNotSatisfiable(size)
    return start, length
