"""One timer for many deadlines."""

import asyncio

import pytest
from tests.support.waiting import eventually

from inventory_api.server.alarm import Alarm


@pytest.fixture
async def rung() -> list[str]:
    return []


async def _rings(rung: list[str], *expected: str) -> None:
    async def as_expected() -> bool:
        return tuple(rung) == expected

    await eventually(as_expected)


async def test_it_rings_once(rung: list[str]) -> None:
    alarm = Alarm(asyncio.get_running_loop())
    alarm.set(0.01, lambda: rung.append("a"))
    assert alarm.is_set
    await _rings(rung, "a")
    assert not alarm.is_set


async def test_what_was_set_last_counts_whether_it_is_sooner_or_later(rung: list[str]) -> None:
    loop = asyncio.get_running_loop()
    for first, second in ((0.01, 0.05), (60, 0.01)):
        alarm = Alarm(loop)
        alarm.set(first, lambda: rung.append("first"))
        alarm.set(second, lambda: rung.append("second"))
    await _rings(rung, "second", "second")


async def test_one_that_is_put_off_does_not_ring_before(rung: list[str]) -> None:
    loop = asyncio.get_running_loop()
    alarm, begun = Alarm(loop), loop.time()
    alarm.set(0.01, lambda: rung.append("early"))
    alarm.set(0.1, lambda: rung.append(str(loop.time() - begun >= 0.1)))
    await _rings(rung, "True")


async def test_one_that_was_cleared_or_ended_does_not_ring(rung: list[str]) -> None:
    loop = asyncio.get_running_loop()
    cleared, ended, other = Alarm(loop), Alarm(loop), Alarm(loop)
    cleared.set(0.01, lambda: rung.append("cleared"))
    ended.set(0.01, lambda: rung.append("ended"))
    other.set(0.05, lambda: rung.append("other"))
    cleared.clear()
    ended.end()
    await _rings(rung, "other")
    cleared.set(0.01, lambda: rung.append("again"))
    await _rings(rung, "other", "again")
