"""The `drill` of each test."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from types import FrameType

import pytest

from .drill import Drill


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--times", choices=("claimed", "told"), default="claimed", help="whether claims on times can fail")
    parser.addoption("--keep-data", metavar="DIRECTORY", help="where the Prometheus of the dashboards leaves its data")


@pytest.fixture(scope="session", autouse=True)
def _ended_in_order() -> None:
    """SIGTERM ends a run as Ctrl-C does: everything that was started is ended."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@pytest.fixture
def drill(request: pytest.FixtureRequest) -> Iterator[Drill]:
    """Titled by the first line of the test's docstring."""
    title = (request.function.__doc__ or request.node.name).splitlines()[0]
    with ExitStack() as stack:
        begun = Drill(title, stack, judges_times=request.config.getoption("--times") == "claimed")
        yield begun
        if begun.report.is_open:
            begun.report.show("did not come to its end")
