"""How many may come in: as many as can be answered soon."""

import pytest

from inventory_api.errors import Overloaded
from inventory_api.http.overload import QUEUE_FACTOR, Admission, Gate
from inventory_api.telemetry.metrics import Metrics

LIMIT = 4


@pytest.fixture
def gate() -> Gate:
    return Gate(LIMIT, Metrics())


def _fill(gate: Gate) -> list[Admission]:
    admitted = []
    for _ in range(1000):
        try:
            admitted.append(gate.admit())
        except Overloaded:
            return admitted
    raise AssertionError("the gate has no end")


async def _serve(gate: Gate, seconds: float, count: int) -> None:
    """So many requests that took that long."""
    for _ in range(count):
        await gate.take_place()
        gate.admit()
        gate.leave(seconds)


def test_the_queue_has_an_end_also_where_requests_take_no_time(gate: Gate) -> None:
    assert len(_fill(gate)) == LIMIT + LIMIT * QUEUE_FACTOR


async def test_the_longer_requests_take_the_fewer_wait(gate: Gate) -> None:
    """At 25 ms each and four at once, two queue times of 25 ms fit into 50 ms: eight may wait."""
    await _serve(gate, 0.025, 400)
    assert len(_fill(gate)) == LIMIT + 8


async def test_nobody_waits_behind_requests_that_take_longer_than_the_queue_may(gate: Gate) -> None:
    await _serve(gate, 1.0, 400)
    assert len(_fill(gate)) == LIMIT


async def test_who_leaves_makes_room_for_one_once(gate: Gate) -> None:
    admitted = _fill(gate)
    admitted[0].leave()
    admitted[0].leave()
    gate.admit()
    with pytest.raises(Overloaded):
        gate.admit()


async def test_a_place_that_was_taken_comes_back(gate: Gate) -> None:
    for _ in range(LIMIT * 10):
        admission = gate.admit()
        await admission.enter()
        admission.leave()
