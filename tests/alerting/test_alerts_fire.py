"""Each alert: inactive, pending, firing, told to the right receiver, and told as ended once the fault is over."""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from observability import rules
from tests.support.memory_limit import can_limit_memory
from tests.support.waiting import await_claim

from . import faults
from .cases import CASES, RECEIVERS, Case
from .receiver import Message
from .scene import Scene, playing
from .table import Row
from .watching import Watch, missing

ALERTS = {
    f"{alert.name} {alert.labels['window']}" if "window" in alert.labels else alert.name: alert
    for alert in rules.alerts(rules.Options("drill", "inventory-api"))
}
# Seconds that a fault may take to be seen, and its end: the longest windows and waits are some minutes here.
FIRES, ENDS = 240.0, 600.0
# What a fault may lead to in any case. The minute that a server worker must stand still is a second here, and in
# windows of seconds a single late answer of Redis on a busy machine is a rate that counts.
FOLLOWS = {"AvailabilityBurn", "LatencyBurn", "ServerWorkerDown", "RedisDegraded"}
# As long as a budget burns so fast that somebody is woken: these are told of afterwards.
SILENCED = {f"{slo}Burn {window}" for slo in ("Availability", "Latency") for window in ("1d", "3d")}


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    if absent := missing():
        pytest.fail(f"not on PATH: {', '.join(absent)}; `make {' '.join(absent)}` builds them by Go")
    with playing() as played:
        yield played


@pytest.fixture
def calm(scene: Scene, case: Case) -> Scene:
    """Once nothing fires but the watchdog, and what ends late of an earlier fault and is not to fire by this one."""
    late = {key for key in ALERTS if key.endswith((" 6h", " 1d", " 3d"))} - {*case.alerts}

    def is_calm() -> bool:
        firing = {key for key, state in scene.watch.now.items() if state != "inactive"}
        return bool(scene.watch.now) and firing - late <= {"Watchdog"}

    await_claim("nothing fires", is_calm, ENDS)
    return scene


def test_there_is_a_fault_for_each_alert() -> None:
    assert {key for case in CASES for key in case.alerts} | {"Watchdog"} == set(ALERTS)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id="-".join(case.alerts).replace(" ", "-"), marks=() if case.is_short else pytest.mark.thorough
        )
        for case in CASES
    ],
)
@pytest.mark.timeout(900)
def test_an_alert_fires_by_a_fault_and_ends_with_it(calm: Scene, case: Case, rows: list[Row], tried: set[str]) -> None:
    if case.fault is faults.memory_nearly_full and not can_limit_memory():
        pytest.skip("NOT PROVEN: no control group for memory can be made here")
    watch = calm.watch
    tried |= {*case.alerts}
    since = watch.forget()
    with case.fault(calm):
        for key in case.alerts:
            await_claim(f"{key} fires", partial(watch.was, key, "firing"), FIRES)
            if key not in SILENCED:
                await_claim(f"{key} is received", partial(_told, watch, key, since), 60)
    healed = time.monotonic()
    for key in case.alerts:
        await_claim(f"{key} is received", partial(_told, watch, key, since), FIRES)
    for key in case.alerts:
        await_claim(f"{key} has ended", partial(watch.is_in, key, "inactive"), ENDS)
        ended = await_claim(f"{key} is told to have ended", partial(_ended, watch, key, since), 60)
        rows.append(Row.of(ALERTS[key], key, case.about, watch.seen[key], since, ended - healed))
    for key in case.alerts:
        assert not ALERTS[key].hold.strip("0s") or "pending" in watch.seen[key], "it waits before it fires"
    came = [found for found in watch.receiver.messages if found.at >= since and found.status == "firing"]
    told = {found.labels["alertname"].removeprefix(rules.PREFIX) for found in came}
    assert not told & {*case.silenced}, "what follows from another alert is silent"
    pages = {found.group for found in came if found.receiver == "page"}
    assert len(pages) <= 1, "one fault pages once"
    is_critical = any(ALERTS[key].severity == "critical" for key in case.alerts)
    assert pages or not is_critical, "what is critical wakes somebody"
    meant = {key.split()[0] for key in case.alerts} | {"Watchdog"}
    others = {name for name in told - meant if not name.startswith(case.besides or ("-",))}
    assert others <= FOLLOWS, "no alert fires that is not meant"
    tried -= {*case.alerts}


def test_the_watchdog_is_received_all_the_time(scene: Scene, rows: list[Row]) -> None:
    """By the receiver that is for it."""
    message = await_claim("it is received", lambda: _told(scene.watch, "Watchdog", 0.0), 90)
    assert message.receiver == "heartbeat"
    rows.append(Row(key="Watchdog", about="none: it always fires", receiver="heartbeat"))


def _told(watch: Watch, key: str, since: float) -> Message | None:
    """That it fires, in the right place."""
    mine = [message for message in _messages(watch, key, since) if message.status == "firing"]
    assert all(message.receiver == RECEIVERS[ALERTS[key].severity] for message in mine)
    return mine[0] if mine else None


def _ended(watch: Watch, key: str, since: float) -> float | None:
    """When the last of what was told to fire was told to have ended."""
    last = {frozenset(message.labels.items()): message for message in _messages(watch, key, since)}
    is_over = last and all(message.status == "resolved" for message in last.values())
    return max(message.at for message in last.values()) if is_over else None


def _messages(watch: Watch, key: str, since: float) -> list[Message]:
    alert = ALERTS[key]
    wanted = {"alertname": f"{rules.PREFIX}{alert.name}", "severity": alert.severity, **alert.labels}
    found = [*watch.receiver.messages]
    return [message for message in found if message.at >= since and wanted.items() <= message.labels.items()]
