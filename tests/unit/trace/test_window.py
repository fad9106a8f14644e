"""Which part of their time stores are searched."""

from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from inventory_api.trace.window import SLACK, window

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_an_id_that_tells_when_it_was_made_is_searched_from_then_on() -> None:
    before = datetime.now(UTC)
    searched = window(str(uuid7()), 24, before + timedelta(days=10))
    # It tells milliseconds.
    assert before - timedelta(milliseconds=1) <= searched.start + SLACK <= datetime.now(UTC)
    assert searched.end - searched.start == timedelta(hours=24) + SLACK


def test_any_other_id_is_searched_up_to_now() -> None:
    for given in ("order-4711", "ffffffff-ffff-7fff-bfff-ffffffffffff"):
        searched = window(given, 24, NOW)
        assert (searched.start, searched.end) == (NOW - timedelta(hours=24), NOW + SLACK)
