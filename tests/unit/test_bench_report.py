"""The verdict of `make bench` is what was measured, and none where the machine measured something else."""

import pytest
from bench.measuring import Series
from bench.report import verdict
from bench.targets import CONTROL, FULL, STOCK

STOCK_CAPACITY, STOCK_P99 = 1000.0, 0.4


def measured(capacity: float, p99: float, control: float = 1.0) -> dict[str, Series]:
    """One round, of which the values are ratios to those of the plain application."""
    ratios = {STOCK: (1.0, 1.0), CONTROL: (control, 1.0), FULL: (capacity, p99)}
    return {
        name: Series(capacity=[STOCK_CAPACITY * of_capacity], p99_of_too_many=[STOCK_P99 * of_p99])
        for name, (of_capacity, of_p99) in ratios.items()
    }


@pytest.mark.parametrize(("capacity", "p99", "met"), [(1.0, 0.5, True), (0.99, 0.1, False), (1.2, 0.51, False)])
def test_the_verdict_is_of_capacity_and_of_p99(capacity: float, p99: float, met: bool) -> None:
    found, told = verdict(measured(capacity, p99))
    assert found is met
    assert f"{capacity:.2f} x" in told
    assert f"{p99:.2f} x" in told


@pytest.mark.parametrize("control", [0.8, 1.2])
def test_where_the_plain_application_differs_from_itself_there_is_none(control: float) -> None:
    found, told = verdict(measured(2.0, 0.1, control))
    assert not found
    assert told.startswith("no verdict")
