"""A flood causes few lines, and none of it goes untold."""

import logging

import pytest
from tests.support.waiting import eventually

from inventory_api.telemetry.line_budget import LINES_PER_SECOND, LineBudget

logger = logging.getLogger(__name__)


async def test_so_many_lines_and_the_rest_in_one(caplog: pytest.LogCaptureFixture) -> None:
    budget = LineBudget(logger, "things happened")
    assert sum(budget.has_room() for _ in range(100)) == LINES_PER_SECOND
    expected = f"{100 - LINES_PER_SECOND} more things happened within a second"

    async def told() -> bool:
        return caplog.messages == [expected]

    await eventually(told)
    assert budget.has_room()


async def test_who_stays_within_it_causes_no_other_line(caplog: pytest.LogCaptureFixture) -> None:
    first, second = LineBudget(logger, "things happened"), LineBudget(logger, "others did")
    assert first.has_room()
    for _ in range(LINES_PER_SECOND + 1):
        second.has_room()

    async def told() -> bool:
        return caplog.messages == ["1 more others did within a second"]

    await eventually(told)
