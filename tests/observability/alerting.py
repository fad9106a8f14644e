"""Cases of alerts as data, and promtool, which is asked about all of them at once."""

import os
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from helm import yaml_text

NAMESPACE, RELEASE = "default", "shop-inventory-api"
API, API_2 = (f"{RELEASE}-5d9c7b8f6d-{suffix}" for suffix in ("x2x9z", "b7b7b"))
QUEUE_WORKER, QUEUE_WORKER_2 = (f"{RELEASE}-worker-7c5b4d8f9-{suffix}" for suffix in ("k8s4t", "m2m2m"))
PREFIX = "InventoryApi"
PROMTOOL_SECONDS = 240

Series = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Firing:
    """What whoever is called reads. `labels` are those beside the severity, the release and the namespace."""

    severity: str
    summary: str
    description: str
    dashboard: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def expected(self, alert: str, release: str) -> dict[str, Any]:
        """As promtool has it."""
        return {
            "exp_labels": {"severity": self.severity, "release": release, "namespace": NAMESPACE, **self.labels},
            "exp_annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"docs/runbooks/{alert}.md",
                "dashboard_url": f"/d/inventory-api-{self.dashboard}?var-namespace={NAMESPACE}&var-release={release}",
            },
        }


@dataclass(frozen=True, slots=True)
class Case:
    """What is scraped, and what of the alert fires `at` a time; at that of `not_before` nothing does.

    `window` says which rule it is of where several have the name. Rules are evaluated at each scrape, once a `step`.
    """

    alert: str
    claim: str
    series: Series
    at: str
    fires: Sequence[Firing] = ()
    not_before: str | None = None
    window: str = ""
    step: str = "1m"
    release: str = RELEASE

    @property
    def name(self) -> str:
        return f"{self.alert} {self.window}: {self.claim}".replace(" :", ":")

    def tests(self) -> list[dict[str, Any]]:
        """Of each time that is looked at."""
        expected = [firing.expected(self.alert, self.release) for firing in self.fires]
        looks = [(self.at, expected)] if self.not_before is None else [(self.not_before, []), (self.at, expected)]
        return [
            {"eval_time": time, "alertname": f"{PREFIX}{self.alert}", "exp_alerts": alerts} for time, alerts in looks
        ]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What sums are at a time, to four digits, given what is scraped, and which alerts do not fire then."""

    claim: str
    series: Series
    at: str
    values: Mapping[str, float] = field(default_factory=dict)
    silent: Sequence[str] = ()
    step: str = "1m"

    @property
    def name(self) -> str:
        return self.claim


def one(metric: str, pod: str = API, **labels: str) -> str:
    """A series of a pod."""
    given = {"namespace": NAMESPACE, "pod": pod, "job": "inventory-api", "instance": f"{pod}:9000", **labels}
    matchers = ", ".join(f'{name}="{value}"' for name, value in given.items())
    return f"{metric}{{{matchers}}}"


def histogram(metric: str, counts: Mapping[str, str], pod: str = API, **labels: str) -> dict[str, str]:
    """Of each upper edge how many there were; the last one is all of them."""
    buckets = {one(f"{metric}_bucket", pod, le=edge, **labels): values for edge, values in counts.items()}
    return {**buckets, one(f"{metric}_count", pod, **labels): list(counts.values())[-1]}


def failures(
    promtool: str, directory: Path, rules: Sequence[Path], looks: Iterable[Case | Arithmetic]
) -> dict[str, str]:
    """Of each that is not as it is said to be, by its name, what promtool says.

    Raises:
        AssertionError: promtool could not go through all of them.
    """
    cases = list(looks)
    files = [
        _written(directory, step, rules, [case for case in cases if case.step == step])
        for step in sorted({case.step for case in cases})
    ]
    report = directory / "junit.xml"
    run = subprocess.run(
        ["nice", promtool, "test", "rules", f"--junit={report}", *map(str, files)],
        # It would take every core, and others are tested meanwhile, some of them by the clock.
        env={**os.environ, "GOMAXPROCS": "1"},
        capture_output=True, text=True, check=False, timeout=PROMTOOL_SECONDS,
    )  # fmt: skip
    found = {
        str(tested.get("name")): "\n".join(str(failure.get("message") or failure.text) for failure in tested)
        for tested in ET.parse(report).getroot().iter("testcase")  # noqa: S314 -- promtool's own
    }
    assert found.keys() == {case.name for case in cases}, run.stdout + run.stderr
    return {name: said for name, said in found.items() if said}


def _written(directory: Path, step: str, rules: Sequence[Path], cases: Sequence[Case | Arithmetic]) -> Path:
    path = directory / f"each-{step}.yaml"
    order = [group["name"] for group in yaml.safe_load(rules[0].read_text())["groups"]]
    document = {
        "rule_files": list(map(str, rules)),
        "evaluation_interval": step,
        "group_eval_order": order,
        "tests": [_test(case) for case in cases],
    }
    path.write_text(yaml_text.dump(document, width=10_000))
    return path


def _test(case: Case | Arithmetic) -> dict[str, Any]:
    series = [{"series": series, "values": values} for series, values in case.series.items()]
    common = {"name": case.name, "interval": case.step, "input_series": series}
    if isinstance(case, Case):
        return {**common, "alert_rule_test": case.tests()}
    return {
        **common,
        "alert_rule_test": [
            {"eval_time": case.at, "alertname": f"{PREFIX}{alert}", "exp_alerts": []} for alert in case.silent
        ],
        "promql_expr_test": [
            {
                "expr": f"round(sum({expression}), 0.0001)",
                "eval_time": case.at,
                "exp_samples": [{"labels": "{}", "value": value}],
            }
            for expression, value in case.values.items()
        ],
    }
