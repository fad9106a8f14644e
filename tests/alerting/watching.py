"""A real Prometheus and a real Alertmanager, and in which states they have seen each alert."""

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from helm import yaml_text
from observability.rules import Options

from observability import rules
from tests.support.process import free_ports
from tests.support.program import running

from .receiver import Receiver, receiving

EXAMPLE = Path(__file__).parents[2] / "observability" / "alertmanager.yml"
NAMESPACE, RELEASE = "drill", "inventory-api"
DIVIDE = 60
# Of objectives, whose longest windows are days.
SLO_DIVIDE = 120
# More than what the scene's processes may open together, and less than with one more.
BUDGET = 30
# A day is a minute for who asks what was a day ago, and two days are 40 s for the look at the ledger.
SHORTER = {"offset 1440s": "offset 60s", "> 2880": "> 40"}
POLL_SECONDS = 0.25
NAMES = ("prometheus", "alertmanager")


class Watch:
    """`states` of each alert, by its name and its window: when it was first seen so, since the last `forget`."""

    def __init__(self, directory: Path, prometheus: str, receiver: Receiver) -> None:
        self.receiver = receiver
        self._targets = directory / "targets.json"
        self._client = httpx.Client(base_url=f"{prometheus}/api/v1", timeout=10)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_again_and_again)
        self.now: dict[str, str] = {}
        self.seen: dict[str, dict[str, float]] = {}

    def scrape(self, targets: Mapping[str, str]) -> None:
        """URLs of management ports by the name of their pod; those, and no others from now on."""
        groups = [
            {"targets": [url.removeprefix("http://")], "labels": {"namespace": NAMESPACE, "pod": pod}}
            for pod, url in targets.items()
        ]
        beside = self._targets.with_suffix(".new")
        beside.write_text(json.dumps(groups))
        beside.replace(self._targets)

    def forget(self) -> float:
        """From now on; tells the time."""
        self.seen = {}
        return time.monotonic()

    def was(self, key: str, state: str) -> bool:
        """Since the last `forget`."""
        return state in self.seen.get(key, {})

    def is_in(self, key: str, state: str) -> bool:
        return self.now.get(key) == state

    def query(self, expression: str) -> list[dict[str, Any]]:
        return list(self._get("query", query=expression)["result"])

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _look_again_and_again(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            with contextlib.suppress(httpx.HTTPError):
                self._look()

    def _look(self) -> None:
        now = time.monotonic()
        groups = self._get("rules", type="alert")["groups"]
        self.now = {_key(rule): rule["state"] for group in groups for rule in group["rules"]}
        for key, state in self.now.items():
            self.seen.setdefault(key, {}).setdefault(state, now)

    def _get(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(f"/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


def _key(rule: Mapping[str, Any]) -> str:
    name = str(rule["name"]).removeprefix(rules.PREFIX)
    window = rule["labels"].get("window")
    return f"{name} {window}" if window else name


def missing() -> list[str]:
    """What is needed and is not on PATH."""
    return [name for name in NAMES if shutil.which(name) is None]


@contextmanager
def watching(directory: Path) -> Iterator[Watch]:
    """Both run until left."""
    prometheus, alertmanager = free_ports(2)
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        _write(directory, alertmanager, receiver)
        watch = Watch(directory, f"http://127.0.0.1:{prometheus}", receiver)
        watch.scrape({})
        for name, port, flags in (
            ("alertmanager", alertmanager, ["--storage.path=alertmanager", "--cluster.listen-address="]),
            ("prometheus", prometheus, ["--storage.tsdb.path=prometheus", "--log.level=warn"]),
        ):
            command = [name, f"--config.file={name}.yaml", f"--web.listen-address=127.0.0.1:{port}", *flags]
            stack.enter_context(running(name, command, directory, f"http://127.0.0.1:{port}/-/ready"))
        watch.start()
        stack.callback(watch.end)
        yield watch


def written() -> str:
    """The rules, with the windows of a drill."""
    groups = [
        group
        for divide, is_slo in ((SLO_DIVIDE, True), (DIVIDE, False))
        for group in yaml.safe_load(rules.render(_options(divide)))["groups"]
        if group["name"].startswith("inventory-api-slo") == is_slo
    ]
    text = yaml_text.dump({"groups": groups}, width=1_000)
    for long, short in SHORTER.items():
        assert long in text
        text = text.replace(long, short)
    return text


def _options(divide: int) -> Options:
    return Options(namespace=NAMESPACE, release=RELEASE, divide=divide, connection_budget=str(BUDGET))


def _write(directory: Path, alertmanager: int, receiver: Receiver) -> None:
    every = {"scrape_interval": "1s", "scrape_timeout": "900ms", "evaluation_interval": "1s"}
    files = {"files": ["targets.json"], "refresh_interval": "1s"}
    configuration = {
        "global": every,
        "rule_files": ["rules.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
        "scrape_configs": [{"job_name": "inventory-api", "file_sd_configs": [files]}],
    }
    (directory / "rules.yaml").write_text(written())
    (directory / "prometheus.yaml").write_text(yaml_text.dump(configuration))
    (directory / "alertmanager.yaml").write_text(yaml_text.dump(routes(receiver)))


def routes(receiver: Receiver) -> dict[str, Any]:
    """Those of the example, with these receivers, and told at once."""
    found: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    for route in (found["route"], *found["route"]["routes"]):
        route.update({"group_wait": "1s", "group_interval": "1s"})
    for one in found["receivers"]:
        one["webhook_configs"][0]["url"] = f"{receiver.url}/{one['name']}"
    return found
