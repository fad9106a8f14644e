"""Between which moments a store is searched: none of them searches all that it has."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

SLACK = timedelta(minutes=5)
UUID_V7 = 7


@dataclass(frozen=True, slots=True)
class Window:
    start: datetime
    end: datetime


def window(request_id: str, hours: float, now: datetime) -> Window:
    """So many hours from when the id was made, which a UUIDv7 tells and no other does: of those, up to now."""
    made = _made_at(request_id)
    if made is None or made > now:
        return Window(now - timedelta(hours=hours), now + SLACK)
    return Window(made - SLACK, min(made + timedelta(hours=hours), now + SLACK))


def _made_at(request_id: str) -> datetime | None:
    try:
        given = UUID(request_id)
        return datetime.fromtimestamp((given.int >> 80) / 1000, UTC) if given.version == UUID_V7 else None
    except ValueError:
        # No UUID, or one of a year that no calendar has.
        return None
