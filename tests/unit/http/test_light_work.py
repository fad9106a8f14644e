"""Work behind a response: counted by what became of it, and never an error of anybody."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry

from inventory_api.errors import DependencyUnavailable
from inventory_api.http import light_work as module
from inventory_api.http.light_work import light_work
from inventory_api.telemetry.metrics import BACKGROUND_TASKS

TASK = "read_cache.refresh"


async def do_nothing() -> None: ...


async def hang() -> None:
    await asyncio.Event().wait()


async def find_nothing_there() -> None:
    raise DependencyUnavailable("The database is not available.")


async def fail() -> None:
    raise LookupError


@pytest.mark.parametrize(
    ("work", "result", "level"),
    [
        (do_nothing, "done", None),
        (hang, "timeout", logging.WARNING),
        (find_nothing_there, "unavailable", logging.WARNING),
        (fail, "error", logging.ERROR),
    ],
)
async def test_what_became_of_it_is_counted_and_said(
    work: Callable[[], Awaitable[None]],
    result: str,
    level: int | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.01)
    registry = CollectorRegistry()
    with caplog.at_level(logging.INFO):
        await light_work(TASK, work, BACKGROUND_TASKS.create(registry))
    assert registry.get_sample_value("background_tasks_total", {"task": TASK, "result": result}) == 1
    assert [record.levelno for record in caplog.records] == ([level] if level else [])
