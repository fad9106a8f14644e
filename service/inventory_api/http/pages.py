"""Pages by cursor: a position in an order that has no ties, bound to what the list was filtered by."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query

from inventory_api.errors import InvalidCursor

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

Limit = Annotated[int, Query(ge=1, description=f"More than {MAX_LIMIT} is taken as {MAX_LIMIT}.")]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before, with the same filters.")
]
Position = tuple[datetime, UUID]


def bounded(limit: int) -> int:
    return min(limit, MAX_LIMIT)


def encode(position: Position, filters: Mapping[str, str]) -> str:
    """The cursor that continues after `position`. Opaque to clients."""
    moment, id_ = position
    text = json.dumps([_digest(filters), moment.isoformat(), str(id_)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str | None, filters: Mapping[str, str]) -> Position | None:
    """
    Raises:
        InvalidCursor: it is no cursor, or that of another list.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        digest, moment, id_ = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        position = datetime.fromisoformat(moment).astimezone(UTC), UUID(id_)
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise InvalidCursor from error
    if digest != _digest(filters):
        raise InvalidCursor
    return position


def _digest(filters: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(filters), sort_keys=True).encode()).hexdigest()[:16]
