"""The pace at which contents come in."""

import asyncio

import pytest

from inventory_api.http.pace import Pace


async def test_what_comes_after_a_while_comes_at_once() -> None:
    """For as much as a second's worth nobody waits, not even a turn of the event loop."""
    pace = Pace(1_000_000)
    for _ in range(9):
        with pytest.raises(StopIteration):
            pace.spend(100_000).send(None)


async def test_what_is_ahead_of_it_waits_behind_all_that_came_before() -> None:
    pace, loop = Pace(1_000_000), asyncio.get_running_loop()
    began = loop.time()

    async def spend() -> float:
        await pace.spend(100_000)
        return loop.time() - began

    waited = await asyncio.gather(*(spend() for _ in range(15)))
    assert all(later >= 0.1 * number - 0.01 for number, later in enumerate(waited[10:], 1))
