"""The free attributes of an item: a JSON object with bounds, so that one item cannot fill a page or a log."""

from collections.abc import Mapping
from typing import Any

from inventory_api import codec
from inventory_api.errors import Detail, ValidationFailure

MAX_BYTES = 16_384
MAX_DEPTH = 8
OUT_OF_BOUNDS = "attributes_bounds"


def problem(attributes: Mapping[str, Any]) -> str | None:
    """What is wrong with attributes that are normalised, or None: what is kept counts, where 1e300 has 301 digits."""
    if _deeper_than(MAX_DEPTH, attributes):
        return f"Attributes may be nested at most {MAX_DEPTH} deep."
    if len(codec.encode(attributes).encode()) > MAX_BYTES:
        return f"Attributes may be at most {MAX_BYTES} bytes as JSON."
    return None


def normalised(value: Any) -> Any:
    """The same numbers as PostgreSQL gives back: jsonb keeps no exponents and no negative zero.

    Without this, 1e16 would be a change of 10000000000000000, each time it is sent.
    """
    if isinstance(value, Mapping):
        return {name: normalised(member) for name, member in value.items()}
    if isinstance(value, list):
        return [normalised(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def require_bounds(attributes: Mapping[str, Any]) -> None:
    """
    Raises:
        ValidationFailure: the attributes are over the bounds.
    """
    if found := problem(attributes):
        raise ValidationFailure(details=[Detail(("body", "attributes"), OUT_OF_BOUNDS, found)])


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: members of `patch` replace those of `target`, null removes, anything but an object replaces whole."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _deeper_than(limit: int, value: Any) -> bool:
    """Looks no deeper than the limit, so that hostile nesting costs nothing."""
    members = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else None
    if members is None:
        return False
    return limit == 0 or any(_deeper_than(limit - 1, member) for member in members)
