"""The text of the setting, and what the headers say of it."""

import pytest

from inventory_api.http.rate_limit.counters import keys
from inventory_api.http.rate_limit.policy import Policy, Usage, headers, parse_policies
from inventory_api.settings import load
from inventory_api.telemetry.metrics import RATE_LIMIT_POLICIES

MINUTE = Policy("default", 600, 60)


@pytest.mark.parametrize(
    ("text", "policies"),
    [
        ("600/minute", [MINUTE]),
        ("600 per 1 minute", [MINUTE]),
        ("5 per 2 seconds", [Policy("default", 5, 2)]),
        ("10/second; 600/minute", [Policy("second", 10, 1), Policy("minute", 600, 60)]),
        ("1/month;2/year", [Policy("month", 1, 2_592_000), Policy("year", 2, 31_104_000)]),
    ],
)
def test_a_text_is_quota_and_window(text: str, policies: list[Policy]) -> None:
    assert list(parse_policies(text)) == policies
    assert {policy.name for policy in policies} <= set(RATE_LIMIT_POLICIES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be limits such as"),
        ("600", "must be limits such as"),
        ("600/minute nonsense", "must be limits such as"),
        ("-1/minute", "must be limits such as"),
        ("0/minute", "must allow from 1"),
        ("9999999999/minute", "must allow from 1"),
        ("1/99999 years", "at most a year"),
        ("10/minute; 5 per 5 minutes", "only one limit by the minute"),
    ],
)
def test_a_wrong_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_policies(text)


def test_it_is_off_unless_it_is_set_and_shown_with_the_settings() -> None:
    assert load({}).rate_limit == ()
    settings = load({"INVENTORY_RATE_LIMIT": "600/minute"})
    assert settings.public()["rate_limit"] == [{"name": "default", "quota": 600, "window_seconds": 60}]


def test_the_headers_are_those_of_the_draft() -> None:
    assert headers([Usage(MINUTE, 588, 29.2)]) == {
        "RateLimit-Policy": '"default";q=600;w=60',
        "RateLimit": '"default";r=12;t=30',
    }
    several = headers([Usage(Policy("second", 10, 1), 3, 0.2), Usage(Policy("minute", 600, 60), 700, 60)])
    assert several["RateLimit-Policy"] == '"second";q=10;w=1, "minute";q=600;w=60'
    assert several["RateLimit"] == '"second";r=7;t=1, "minute";r=0;t=60'


@pytest.mark.parametrize(("left", "wait"), [(0.001, 1), (0, 1), (-0.5, 1), (1, 1), (1.001, 2), (59.9, 60)])
def test_the_wait_is_in_whole_seconds_rounded_up_and_never_0(left: float, wait: int) -> None:
    assert Usage(MINUTE, 600, left).wait_seconds == wait


def test_a_key_is_of_one_principal_and_one_window() -> None:
    assert keys("key:shop", [MINUTE]) == ["inventory-api:rate-limit:{key:shop}:default:60"]
