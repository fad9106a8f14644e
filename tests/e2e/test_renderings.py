"""What the chart renders is what this cluster's API server takes, field by field."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml
from helm import render, yaml_text

from tests.chart.rendering import CASES, Helm, Values

from .cluster import HELM, Cluster, CommandError, run

# Of operators that a cluster need not have; where E2E_ALL_KINDS is set, it has to.
CUSTOM = {
    "HTTPRoute": "httproutes.gateway.networking.k8s.io",
    "ServiceMonitor": "servicemonitors.monitoring.coreos.com",
    "PodMonitor": "podmonitors.monitoring.coreos.com",
    "ScaledObject": "scaledobjects.keda.sh",
    "TriggerAuthentication": "triggerauthentications.keda.sh",
}
EXAMPLES: dict[str, Values] = {
    f"example {file.parent.name}": yaml.safe_load(file.read_text())
    for file in sorted(render.EXAMPLES.glob("*/values.yaml"))
}
ALL = {**CASES, **EXAMPLES}
STRICTLY = ("apply", "--dry-run=server", "--validate=strict", "--filename", "-")


@pytest.fixture(scope="session")
def unknown_kinds() -> set[str]:
    """The custom kinds that this cluster does not know."""
    known = run("kubectl", "get", "customresourcedefinitions", "--output", "name")
    return {kind for kind, name in CUSTOM.items() if name not in known}


def test_every_custom_kind_is_known_where_that_is_asked_for(unknown_kinds: set[str]) -> None:
    """Else the next test would pass them by."""
    if unknown_kinds and not os.environ.get("E2E_ALL_KINDS"):
        pytest.skip(f"this cluster does not know {', '.join(sorted(unknown_kinds))}")
    assert not unknown_kinds


@pytest.mark.parametrize("values", ALL.values(), ids=ALL.keys())
def test_the_api_server_takes_every_rendering(cluster: Cluster, unknown_kinds: set[str], values: Values) -> None:
    """Strictly: an unknown or duplicate field is an error, and so is a warning, as of Pod Security."""
    rendering = Helm(HELM).template(values)
    # As they were rendered: to load and write them again would hide what is there twice.
    texts = [text for text in rendering.text.split("\n---\n") if _kind(text) not in {*unknown_kinds, ""}]
    with _accounts(cluster, {pod["serviceAccountName"] for _, pod in rendering.pods()} - {"default"}):
        printed = cluster.kubectl(*STRICTLY, "--warnings-as-errors", stdin="\n---\n".join(texts))
    assert printed.count("(server dry run)") == len(texts)


def _kind(text: str) -> str:
    found = re.search(r"^kind: (\w+)$", text, re.MULTILINE)
    return found[1] if found else ""


@contextmanager
def _accounts(cluster: Cluster, names: set[str]) -> Iterator[None]:
    """A pod needs its account, and a dry run makes none."""
    accounts = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}} for name in names]
    cluster.kubectl("apply", "--filename", "-", stdin=yaml_text.dump(*accounts))
    try:
        yield
    finally:
        cluster.kubectl("delete", "serviceaccount", *names)


def test_the_api_server_refuses_a_field_that_it_does_not_know(cluster: Cluster) -> None:
    """So that the test above could fail."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"portz": []}}
    with pytest.raises(CommandError, match="portz"):
        cluster.kubectl(*STRICTLY, stdin=yaml_text.dump(service))
