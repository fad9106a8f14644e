"""The breaker opens by failures in a row, and is closed by whoever knows better."""

import logging

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from inventory_api.redis.breaker import FAILURES_TO_OPEN, Breaker
from inventory_api.telemetry.metrics import REDIS_BREAKER_STATE

FAILURE = OSError("refused")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def breaker(registry: CollectorRegistry) -> Breaker:
    return Breaker("redis", REDIS_BREAKER_STATE.create(registry))


def _open(breaker: Breaker) -> None:
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(FAILURE)


def test_it_opens_after_failures_in_a_row_and_not_before(breaker: Breaker) -> None:
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed(FAILURE)
    assert not breaker.is_open
    breaker.failed(FAILURE)
    assert breaker.is_open


def test_a_success_in_between_begins_the_row_anew(breaker: Breaker) -> None:
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed(FAILURE)
    breaker.succeeded()
    breaker.failed(FAILURE)
    assert not breaker.is_open


def test_a_late_success_does_not_close_it(breaker: Breaker) -> None:
    _open(breaker)
    breaker.succeeded()
    assert breaker.is_open


def test_closed_again_it_takes_as_many_failures_as_before(breaker: Breaker) -> None:
    _open(breaker)
    breaker.close()
    assert not breaker.is_open
    breaker.failed(FAILURE)
    assert not breaker.is_open


def test_the_metric_has_1_for_the_state_that_it_is_in(breaker: Breaker, registry: CollectorRegistry) -> None:
    def states() -> dict[str, float | None]:
        return {
            state: registry.get_sample_value("redis_breaker_state", {"state": state}) for state in ("closed", "open")
        }

    assert states() == {"closed": 1, "open": 0}
    _open(breaker)
    assert states() == {"closed": 0, "open": 1}
    breaker.close()
    assert states() == {"closed": 1, "open": 0}
    assert REGISTRY.get_sample_value("redis_breaker_state", {"state": "open"}) is None


def test_opening_and_closing_are_one_line_each(breaker: Breaker, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _open(breaker)
        _open(breaker)
        breaker.close()
        breaker.close()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "open after 5 failures: OSError('refused')" in caplog.text
