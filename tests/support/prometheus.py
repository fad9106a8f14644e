"""A real Prometheus on this machine, which scrapes each second unless told otherwise, and evaluates rules as often."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from helm import yaml_text

from tests.support.process import free_ports
from tests.support.program import running

BINARY = "prometheus"
JOB = "inventory-api"


@dataclass(frozen=True, slots=True)
class Target:
    """Whose metrics are scraped, as a pod of a namespace."""

    url: str
    namespace: str
    pod: str

    def configuration(self) -> dict[str, Any]:
        return {
            "targets": [self.url.removeprefix("http://")],
            "labels": {"namespace": self.namespace, "pod": self.pod},
        }


class Prometheus:
    """Its HTTP API; `data` is the directory that it keeps all in."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        self.data = data
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=30)

    def query(self, expression: str, at: float) -> list[dict[str, Any]]:
        """The series, each with its `metric` and its `value` at that time, in seconds since 1970."""
        return list(self._get("query", query=expression, time=at)["result"])

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The same, each with its `values`."""
        return list(self._get("query_range", query=expression, start=start, end=end, step=step)["result"])

    def exemplars(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        """Those of all series that the expression reads."""
        found = self._get("query_exemplars", query=expression, start=start, end=end)
        return [exemplar for series in found for exemplar in series["exemplars"]]

    def targets_are_up(self, count: int) -> bool:
        return [target["health"] for target in self._get("targets")["activeTargets"]] == ["up"] * count

    def broken_rules(self) -> list[tuple[str, str]]:
        """Names and errors of the rules that could not be evaluated."""
        rules = [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
        return [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] == "err"]

    def close(self) -> None:
        self._client.close()

    def _get(self, path: str, **parameters: Any) -> Any:
        answer = self._client.get(f"/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


def is_there() -> bool:
    """Whether there is one on PATH."""
    return shutil.which(BINARY) is not None


@contextmanager
def prometheus(
    directory: Path, targets: Sequence[Target], rules: str, data: Path, interval: str = "1s"
) -> Iterator[Prometheus]:
    """Ended in order when left, so that what it has seen is in `data`. It scrapes itself too."""
    (port,) = free_ports(1)
    (directory / "rules.yaml").write_text(rules)
    itself = {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    service = {"job_name": JOB, "static_configs": [target.configuration() for target in targets]}
    every = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    configuration = {"global": every, "rule_files": ["rules.yaml"], "scrape_configs": [itself, service]}
    (directory / "prometheus.yaml").write_text(yaml_text.dump(configuration))
    command = [
        BINARY,
        f"--config.file={directory / 'prometheus.yaml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(BINARY, command, directory, f"{url}/-/ready"):
        watching = Prometheus(url, data)
        try:
            yield watching
        finally:
            watching.close()
