"""What the drills of alerts have in common."""

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from . import table
from .table import Row


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write", action="store_true", help="docs/alerts.md by what was seen")


@pytest.fixture(scope="session", autouse=True)
def _ended_in_order() -> None:
    """SIGTERM ends a run as Ctrl-C does: everything that was started is ended."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@pytest.fixture(scope="session")
def tried() -> set[str]:
    """The alerts that this run began to drill; who has come to the end takes them out."""
    return set()


@pytest.fixture(scope="session")
def rows(pytestconfig: pytest.Config, tried: set[str]) -> Iterator[list[Row]]:
    """What was seen, told at the end."""
    seen: list[Row] = []
    yield seen
    for row in seen:
        print(f"  {row.key:<26} firing after {row.firing or 0:5.1f} s, by {row.receiver}: {row.about}")
    print(f"  {len(seen)} alerts fired, {sum(row.ended is not None for row in seen)} ended")
    if pytestconfig.getoption("--write"):
        table.write(seen, tried)
