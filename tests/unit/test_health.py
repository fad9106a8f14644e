"""Hysteresis of readiness: three failures in a row to turn, one success to turn back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, Gauge
from tests.support.waiting import eventually

from inventory_api import health as module
from inventory_api.drain import Drain
from inventory_api.health import Health


class Switch:
    """A dependency that a test turns off and on; the rounds wait for the test to allow each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.up = True
        self.rounds = 0

    async def run(self) -> None:
        self.rounds += 1
        if not self.up:
            raise ConnectionError("down")

    async def close(self) -> None:
        return


@pytest.fixture
async def switch() -> Switch:
    return Switch("database")


@pytest.fixture
def drain() -> Drain:
    return Drain()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def health(
    switch: Switch, drain: Drain, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Health]:
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.01)
    health = Health(
        [switch, Switch("redis")],
        required=["database"],
        draining=lambda: drain.draining,
        up=Gauge("up", "", ["check"], registry=registry),
        ready=Gauge("ready", "", registry=registry),
        drains=Gauge("drains", "", registry=registry),
    )
    yield health
    await health.close()


async def test_nothing_is_ready_before_the_first_round(health: Health) -> None:
    assert (health.started, health.readiness()) == (False, "starting")
    await health.open()

    async def ready() -> bool:
        return health.readiness() == "ready"

    await eventually(ready)
    assert health.started


async def test_it_takes_three_failures_in_a_row_to_turn_unready_and_one_success_to_turn_back(
    health: Health, switch: Switch
) -> None:
    states: list[tuple[int, str]] = []
    await health.open()

    async def after(rounds: int) -> bool:
        return switch.rounds >= rounds

    await eventually(lambda: after(1))
    switch.up, down_at = False, switch.rounds

    async def unready() -> bool:
        states.append((switch.rounds - down_at, health.readiness()))
        return health.readiness() == "unready"

    await eventually(unready)
    assert all(readiness == "ready" for failures, readiness in states if failures < 3)
    switch.up, up_at = True, switch.rounds

    async def ready() -> bool:
        return health.readiness() == "ready"

    await eventually(ready)
    assert switch.rounds - up_at <= 2


async def test_a_check_that_hangs_is_ended_and_failed(
    health: Health, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(switch, "run", asyncio.Event().wait)
    await health.open()

    async def unready() -> bool:
        return health.readiness() == "unready"

    await eventually(unready)
    assert health.checks()["redis"]["status"] == "ok"


async def test_what_is_exposed_is_what_a_probe_would_be_told_though_there_is_none(
    health: Health, switch: Switch, drain: Drain, registry: CollectorRegistry
) -> None:
    async def exposed_is(value: float) -> bool:
        return registry.get_sample_value("ready") == value

    assert await exposed_is(0)
    await health.open()
    assert await exposed_is(1)
    switch.up = False
    await eventually(lambda: exposed_is(0))
    switch.up = True
    await eventually(lambda: exposed_is(1))
    drain.begin()
    assert await exposed_is(0)
