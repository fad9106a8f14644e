"""JSON for the database and for responses: strings as they are, numbers that stay what they were; and times in it."""

import json
from datetime import UTC, datetime
from typing import Any

# Made once: `json.dumps` makes one for each call that has options.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_CANONICAL_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def encode(value: Any) -> str:
    """Compact JSON.

    Raises:
        ValueError: the value holds NaN or an infinity, which JSON has no way to write.
    """
    return _ENCODER.encode(value)


def decode(text: str) -> Any:
    return json.loads(text)


def canonical(value: Any) -> str:
    """The same text for the same JSON value, whatever the order of its members."""
    return _CANONICAL_ENCODER.encode(value)


def rfc3339(moment: datetime) -> str:
    """UTC with `Z`, microseconds always: the same moment is always the same text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
