"""The chart's PrometheusRule is what observability/rules makes of its values."""

import re
from base64 import b64decode

import pytest
import yaml
from helm import yaml_text

from observability import rules

from .rendering import FULLNAME, Helm, Values, refusal

ON: Values = {"metrics": {"prometheusRule": {"enabled": True}}}
SET: Values = {
    "database": {"maxConnections": 200, "reservedConnections": 20},
    "worker": {"enabled": False},
    "metrics": {
        "prometheusRule": {
            "enabled": True,
            "labels": {"prometheus": "main"},
            "runbooksUrl": "https://git.example/runbooks/",
            "grafanaUrl": "https://grafana.example",
        },
        "objectives": {"availability": 99, "latency": 95.5, "minimumRequestsPerSecond": 2},
    },
}
PODS = f"{FULLNAME}(-worker)?-[a-z0-9]+-?[a-z0-9]{{5}}"


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (ON, rules.Options(namespace="default", release=FULLNAME, pods=PODS)),
        (
            SET,
            rules.Options(
                namespace="default",
                release=FULLNAME,
                pods=PODS,
                availability="99",
                latency="95.5",
                minimum_rate="2",
                connection_budget="180",
                queue_workers="0",
                runbooks="https://git.example/runbooks",
                grafana="https://grafana.example",
            ),
        ),
    ],
    ids=["defaults", "all set"],
)
def test_the_rules_are_those_made_of_the_values(helm: Helm, values: Values, options: rules.Options) -> None:
    rule = helm.template(values).one("PrometheusRule", FULLNAME)
    assert rule["spec"] == yaml.safe_load(rules.render(options))
    assert rule["metadata"]["labels"].items() >= values["metrics"]["prometheusRule"].get("labels", {}).items()


@pytest.mark.parametrize(
    ("worker", "is_missed"),
    [
        ({"replicaCount": 1}, True),
        ({"replicaCount": 0}, False),
        ({"enabled": False}, False),
        ({"replicaCount": 0, "keda": {"enabled": True, "maxReplicas": 1}}, True),
    ],
)
def test_a_queue_worker_is_missed_where_there_is_to_be_one(helm: Helm, worker: Values, is_missed: bool) -> None:
    rule = helm.template({**ON, "worker": worker}).one("PrometheusRule", FULLNAME)
    alerts = [one for group in rule["spec"]["groups"] for one in group["rules"]]
    (expression,) = [one["expr"] for one in alerts if one.get("alert") == f"{rules.PREFIX}QueueWorkerAbsent"]
    assert expression.endswith(f"* {int(is_missed)} > 0")


@pytest.mark.parametrize(
    ("pod", "is_of_the_release"),
    [
        (f"{FULLNAME}-5d9c7b8f6d-x2x9z", True),
        (f"{FULLNAME}-worker-7c5b4d8f9-k8s4t", True),
        # Of a name of 40 characters: Kubernetes cuts what it generates from at 58.
        (f"{FULLNAME}-worker-7d9c7b8f6dx2x9z", True),
        (f"{FULLNAME}-postgresql-0", False),
        (f"{FULLNAME}-next-5d9c7b8f6d-x2x9z", False),
        (f"my-{FULLNAME}-5d9c7b8f6d-x2x9z", False),
    ],
)
def test_pods_of_the_release_are_told_from_those_of_another(helm: Helm, pod: str, is_of_the_release: bool) -> None:
    """One whose name begins as that of this one, in the same namespace."""
    text = yaml_text.dump(helm.template(ON).one("PrometheusRule", FULLNAME), width=10_000)
    (pattern,) = set(re.findall(r'pod=~"(.+?)"', text))
    assert bool(re.fullmatch(pattern, pod)) is is_of_the_release


def test_a_decimal_may_come_from_the_command_line(helm: Helm) -> None:
    """Of `--set` Helm makes a string."""
    text = helm.template(ON, "--set", "metrics.objectives.availability=99.95").text
    assert "(1 - 99.95 / 100)" in text


def test_there_are_no_rules_without_being_asked_for(helm: Helm) -> None:
    """The kind is not there in a cluster without the Prometheus Operator."""
    assert helm.template().of("PrometheusRule") == []


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"objectives": {"availability": 100}}, "availability"),
        ({"objectives": {"availability": "100"}}, "availability"),
        ({"objectives": {"availability": "99.9999"}}, "availability"),
        ({"objectives": {"minimumRequestsPerSecond": "0.0"}}, "minimumRequestsPerSecond"),
        ({"objectives": {"minimumRequestsPerSecond": "0.0001"}}, "minimumRequestsPerSecond"),
        ({"prometheusRule": {"runbooksUrl": "docs/runbooks?ref=main"}}, "runbooksUrl"),
        ({"objectives": {"latency": 0.99}}, "latency"),
        ({"objectives": {"minimumRequestsPerSecond": 0}}, "minimumRequestsPerSecond"),
        ({"prometheusRule": {"runbooksUrl": 'x" or "'}}, "runbooksUrl"),
        ({"prometheusRule": {"grafanaUrl": "grafana.example"}}, "grafanaUrl"),
    ],
)
def test_what_no_rule_could_be_made_of_is_refused(helm: Helm, values: Values, named: str) -> None:
    assert named in refusal(helm, {"metrics": values})


@pytest.mark.parametrize(
    ("metrics", "told", "not_told"),
    [
        ({"prometheusRule": {"enabled": False}}, [], ["runbooks", "monitor"]),
        ({"prometheusRule": {"enabled": True}}, ["lead nowhere: docs/runbooks is a path", "No monitor of this"], []),
        (
            {"prometheusRule": SET["metrics"]["prometheusRule"], "podMonitor": {"enabled": True}},
            [],
            ["lead nowhere", "No monitor of this"],
        ),
    ],
    ids=["no rules", "rules alone", "rules, a monitor, and where the runbooks are"],
)
def test_the_notes_tell_what_rules_are_of_no_use_without(
    helm: Helm, metrics: Values, told: list[str], not_told: list[str]
) -> None:
    notes = '{{ include (print .Template.BasePath "/NOTES.txt") . | b64enc }}'
    read = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}, "data": {"notes": notes}}
    made = helm.template({"metrics": metrics, "extraObjects": [read]}).one("ConfigMap", "notes")
    text = b64decode(made["data"]["notes"]).decode()
    assert "helm --namespace default test shop" in text
    assert [part for part in told if part not in text] == []
    assert [part for part in not_told if part in text] == []
