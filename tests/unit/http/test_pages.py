"""Cursors."""

import base64
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from inventory_api.errors import InvalidCursor
from inventory_api.http.pages import NEWEST_FIRST, decode, encode

POSITION = (datetime(2026, 11, 23, 20, 0, 0, 123_456, tzinfo=UTC), UUID(int=7))


def test_a_cursor_is_the_position_that_it_was_made_of() -> None:
    assert decode(encode(POSITION, {"sku": "a"}), {"sku": "a"}, NEWEST_FIRST) == POSITION
    assert decode(None, {}, NEWEST_FIRST) == (None, None)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_forged_moment_that_postgresql_cannot_hold_is_an_invalid_cursor(moment: str) -> None:
    digest = json.loads(base64.urlsafe_b64decode(encode(POSITION, {}) + "=="))[0]
    forged = base64.urlsafe_b64encode(json.dumps([digest, moment, str(UUID(int=7))]).encode()).decode().rstrip("=")
    with pytest.raises(InvalidCursor):
        decode(forged, {}, NEWEST_FIRST)


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "%%%", "e30", encode(POSITION, {"sku": "b"}), encode(POSITION, {"sku": "a"})[:-3], "\u00e9",
        base64.urlsafe_b64encode(b'["x",1,2]').decode(), base64.urlsafe_b64encode(b"[" * 9000).decode(),
    ],
)  # fmt: skip
def test_anything_else_is_an_invalid_cursor(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode(cursor, {"sku": "a"}, NEWEST_FIRST)
