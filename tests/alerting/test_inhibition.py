"""What the example of Alertmanager's configuration silences, in a real Alertmanager that is told of both alerts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from helm import yaml_text

from observability import rules
from tests.support.process import free_ports
from tests.support.program import running
from tests.support.waiting import wait_until

from .receiver import Message, Receiver, receiving
from .watching import routes

ALERTS = {
    " ".join([alert.name, *filter(None, [alert.labels.get("window")])]): alert
    for alert in rules.alerts(rules.Options("shop", "inventory"))
}
SLOS = ("Availability", "Latency")
FAST, SLOW = ("1h", "6h"), ("1d", "3d")
SILENCED = [
    *(("Absent", key) for key in ALERTS if key not in {"Absent", "Watchdog"}),
    *(("DbPoolSaturated", f"LatencyBurn {window}") for window in (*FAST, *SLOW)),
    *((f"{slo}Burn {fast}", f"{slo}Burn {slow}") for slo in SLOS for fast in FAST for slow in SLOW),
]  # fmt: skip
HEARD = [
    # Of any one pod: that of the API says nothing of the queue worker.
    ("ProbeFailing", "QueueUnmeasured"),
    ("Absent", "Watchdog"),
    ("DbPoolSaturated", "AvailabilityBurn 1h"),
    ("AvailabilityBurn 1h", "LatencyBurn 3d"),
    ("AvailabilityBurn 3d", "AvailabilityBurn 6h"),
]


@dataclass(frozen=True, slots=True)
class Alertmanager:
    url: str
    receiver: Receiver

    def fire(self, key: str, release: str, pod: str = "a") -> None:
        alert = ALERTS[key]
        labels = {"alertname": f"{rules.PREFIX}{alert.name}", "severity": alert.severity, "pod": pod, **alert.labels}
        labels |= {"namespace": "shop", "release": release}
        httpx.post(f"{self.url}/api/v2/alerts", json=[{"labels": labels}]).raise_for_status()

    def state(self, key: str, release: str) -> str:
        """`active`, `suppressed`, or `unprocessed` for as long as it was not looked at."""
        wanted = {"alertname": f"{rules.PREFIX}{ALERTS[key].name}", "release": release, **ALERTS[key].labels}
        found: list[Any] = httpx.get(f"{self.url}/api/v2/alerts").raise_for_status().json()
        return next((str(one["status"]["state"]) for one in found if wanted.items() <= one["labels"].items()), "")


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    directory = tmp_path_factory.mktemp("alertmanager")
    (port,) = free_ports(1)
    with receiving() as receiver:
        (directory / "alertmanager.yaml").write_text(yaml_text.dump(routes(receiver)))
        flags = ["--storage.path=data", "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{port}"]
        with running(
            "alertmanager",
            ["alertmanager", "--config.file=alertmanager.yaml", *flags],
            directory,
            f"http://127.0.0.1:{port}/-/ready",
        ):
            yield Alertmanager(f"http://127.0.0.1:{port}", receiver)


@pytest.mark.parametrize(("cause", "other"), SILENCED)
def test_what_follows_from_an_alert_is_silent(alertmanager: Alertmanager, cause: str, other: str) -> None:
    release = f"{cause}-{other}"
    alertmanager.fire(cause, release)
    wait_until(lambda: alertmanager.state(cause, release) == "active")
    alertmanager.fire(other, release)
    wait_until(lambda: alertmanager.state(other, release) == "suppressed")


@pytest.mark.parametrize(("first", "other"), HEARD)
def test_what_does_not_follow_is_heard(alertmanager: Alertmanager, first: str, other: str) -> None:
    release = f"{first}-{other}"
    for key in (first, other):
        alertmanager.fire(key, release)
    wait_until(lambda: alertmanager.state(other, release) == "active")
    name = f"{rules.PREFIX}{ALERTS[other].name}"
    wait_until(lambda: release in _releases(alertmanager.receiver, name))


def test_the_pool_of_a_queue_worker_silences_no_slow_request(alertmanager: Alertmanager) -> None:
    alertmanager.fire("DbPoolSaturated", "queue", "inventory-inventory-api-worker-7c5b4d8f9-k8s4t")
    alertmanager.fire("LatencyBurn 1h", "queue")
    wait_until(lambda: "queue" in _releases(alertmanager.receiver, f"{rules.PREFIX}LatencyBurn"))


def test_another_release_is_heard(alertmanager: Alertmanager) -> None:
    alertmanager.fire("Absent", "gone")
    alertmanager.fire("RedisDegraded", "there")
    wait_until(lambda: "there" in _releases(alertmanager.receiver, f"{rules.PREFIX}RedisDegraded"))


def test_several_critical_alerts_of_a_release_are_one_page(alertmanager: Alertmanager) -> None:
    critical = ("AvailabilityBurn 1h", "ProbeFailing", "JobsStalled")
    for key in critical:
        alertmanager.fire(key, "broken")
    wait_until(lambda: len({page.labels["alertname"] for page in _pages(alertmanager, "broken")}) == len(critical))
    assert len({page.group for page in _pages(alertmanager, "broken")}) == 1


def _pages(alertmanager: Alertmanager, release: str) -> list[Message]:
    found = [*alertmanager.receiver.messages]
    return [message for message in found if message.receiver == "page" and message.labels["release"] == release]


def _releases(receiver: Receiver, name: str) -> set[str]:
    """Those of which it was told of that alert."""
    return {message.labels["release"] for message in [*receiver.messages] if message.labels["alertname"] == name}
