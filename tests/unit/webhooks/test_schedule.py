"""When what failed is tried again, and what a partner may ask for."""

from datetime import UTC, datetime, timedelta

import pytest

from inventory_api.webhooks.schedule import DELAYS, Schedule, pause_seconds, retry_after_seconds

NOW = datetime(2026, 3, 1, 8, 0, 0, tzinfo=UTC)


def test_each_delay_is_as_it_is_documented_spread_by_a_fifth() -> None:
    schedule = Schedule()
    assert DELAYS == (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    assert schedule.retries == 9
    for number, delay in enumerate(DELAYS[1:], 1):
        found = [schedule.retry_seconds(10 - number) or 0 for _ in range(200)]
        assert delay * 0.8 <= min(found) < delay * 0.9
        assert delay * 1.1 < max(found) <= delay * 1.2


def test_after_the_last_there_is_none() -> None:
    assert Schedule().retry_seconds(0) is None
    assert Schedule((0.0,)).retry_seconds(0) is None


def test_retries_that_an_older_schedule_had_more_of_are_made() -> None:
    assert Schedule((0.0, 1.0)).retry_seconds(9) == pytest.approx(1, rel=0.21)
    assert Schedule((0.0,)).retry_seconds(3) == 0


def test_nobody_is_asked_again_before_he_asks_for_it_nor_never() -> None:
    schedule = Schedule()
    assert schedule.retry_seconds(9, 120) == 120
    assert schedule.retry_seconds(8, 1) == pytest.approx(300, rel=0.21)
    assert schedule.retry_seconds(9, 1e9) == 86_400


def test_a_pause_is_of_all_requests_where_the_status_says_so() -> None:
    assert [pause_seconds(status, 120) for status in (429, 503, 500, 404)] == [120, 120, None, None]
    assert pause_seconds(429, None) is None
    assert pause_seconds(503, 1e9) == 3600


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0), (" 7 ", 7.0), ("0", 0.0), ("9" * 500, 9_999_999_999.0),
        ("Sun, 01 Mar 2026 08:02:00 GMT", 120.0), ("Sun, 01 Mar 2026 07:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 10:02:00 +0200", 120.0),
        (None, None), ("", None), ("soon", None), ("-5", None), ("1.5", None), ("\N{SUPERSCRIPT TWO}", None),
        ("Sun, 99 Mar 2026 08:02:00 GMT", None), ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Sun, 01 Mar 2026 08:02:00 +9999999999", None), ("Sun, 01 Mar 2026 99999999999999999999:00:00 GMT", None),
        ("Sun, 01 Mar 2026", None), ("\x00", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_and_else_nothing(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, NOW) == seconds
    assert retry_after_seconds(text, NOW.astimezone(tz=None) + timedelta(0)) == seconds
