"""Pages by cursor: a position in an order that has no ties, bound to what the list was filtered by."""

import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from inventory_api.errors import InvalidCursor

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

Filters = Mapping[str, str | None]
# A filter that is text: PostgreSQL knows none with NUL in it.
FilterText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class PageQuery(BaseModel):
    """What every list is asked with. A misspelt filter is an error: it would else be a list of everything."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, description=f"More than {MAX_LIMIT} is taken as {MAX_LIMIT}.")] = DEFAULT_LIMIT
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before, with the same filters.")] = None

    @property
    def size(self) -> int:
        return min(self.limit, MAX_LIMIT)


Page = Annotated[PageQuery, Query()]


def moment(text: str) -> datetime:
    """A part of a position that is a time."""
    return datetime.fromisoformat(text).astimezone(UTC)


def matching(pattern: str) -> Callable[[str], str]:
    """A part of a position that is text of this form."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(pattern)
        return text

    return read


@dataclass(frozen=True)
class Order:
    """What of a member is its position in a list, and how each part of that is read back from text."""

    position: Callable[[Any], Sequence[Any]]
    readers: tuple[Callable[[str], Any], ...]


NEWEST_FIRST = Order(lambda member: (member.created_at, member.id), (moment, UUID))


async def turn(
    query: PageQuery, order: Order, filters: Filters, find: Callable[[tuple[Any, ...], int], Awaitable[Sequence[T]]]
) -> tuple[Sequence[T], str | None]:
    """The members of the page that `query` asks for, and the cursor of the next one where there is one.

    `find` is given a position, whose parts are None where the list begins, and how many members after it to find: one
    more than are shown, which tells whether there is another page.

    Raises:
        InvalidCursor: the cursor is none, or that of another list.
    """
    found = await find(decode(query.cursor, filters, order), query.size + 1)
    shown = found[: query.size]
    return shown, encode(order.position(shown[-1]), filters) if len(found) > query.size else None


def encode(position: Sequence[Any], filters: Filters) -> str:
    """The cursor that continues after `position`. Opaque to clients."""
    parts = [part.isoformat() if isinstance(part, datetime) else str(part) for part in position]
    text = json.dumps([_digest(filters), *parts], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str | None, filters: Filters, order: Order) -> tuple[Any, ...]:
    """The position; a None for each of its parts where the list begins.

    Raises:
        InvalidCursor: it is no cursor, or that of another list.
    """
    if cursor is None:
        return (None,) * len(order.readers)
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        if not isinstance(found, list):
            raise InvalidCursor
        digest, *parts = found
        position = tuple(read(part) for read, part in zip(order.readers, parts, strict=True))
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise InvalidCursor from error
    if digest != _digest(filters):
        raise InvalidCursor
    return position


def _digest(filters: Filters) -> str:
    return hashlib.sha256(json.dumps(dict(filters), sort_keys=True).encode()).hexdigest()[:16]
