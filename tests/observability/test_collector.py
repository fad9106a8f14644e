"""`kubectl apply -k observability/collector`: what it renders to, and what its pod may do."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm import yaml_text

from tests.chart.pod_security import restricted
from tests.support.kustomize import NEEDS_KUBECTL, built
from tests.support.process import REPOSITORY

FOLDER = REPOSITORY / "observability" / "collector"
DOCS = REPOSITORY / "docs" / "telemetry.md"
NAME = "inventory-collector"

Manifest = dict[str, Any]
pytestmark = NEEDS_KUBECTL


def rendered(folder: Path) -> dict[str, Manifest]:
    """Its objects by their kind; of ConfigMaps each by its name, without the part that its content makes."""
    objects = built(folder)
    kinds = {found["kind"]: found for found in objects if found["kind"] != "ConfigMap"}
    maps = {found["metadata"]["name"].rsplit("-", 1)[0]: found for found in objects if found["kind"] == "ConfigMap"}
    return {**kinds, **maps}


@pytest.fixture(scope="module")
def objects() -> dict[str, Manifest]:
    return rendered(FOLDER)


@pytest.fixture(scope="module")
def pod(objects: dict[str, Manifest]) -> Manifest:
    found = objects["DaemonSet"]["spec"]["template"]["spec"]
    assert isinstance(found, dict)
    return found


def test_the_pod_is_restricted_but_for_the_nodes_logs_which_it_only_reads(pod: Manifest) -> None:
    assert restricted(pod) == ["volume logs is of a kind that is not allowed"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    (logs,) = [volume["hostPath"] for volume in pod["volumes"] if "hostPath" in volume]
    assert logs["path"] == "/var/log/pods"
    assert container["resources"]["limits"].keys() == {"memory"}


def test_it_may_look_at_pods_and_at_nothing_else(objects: dict[str, Manifest]) -> None:
    assert objects["ClusterRole"]["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    ]


def test_what_it_asks_the_cluster_for_is_what_pods_alone_tell() -> None:
    """More of these would need more of the role."""
    asked = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text())["processors"]["k8s_attributes"]["extract"]
    pods_tell = {"k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "k8s.deployment.name", "k8s.node.name"}
    assert set(asked["metadata"]) <= pods_tell
    assert {label["from"] for label in asked["labels"]} == {"pod"}


def test_it_runs_by_the_two_files_in_the_version_of_the_docs(objects: dict[str, Manifest], pod: Manifest) -> None:
    files = objects[f"{NAME}-files"]["data"]
    assert files == {name: (FOLDER / name).read_text() for name in ("collector.yaml", "kubernetes.yaml")}
    (container,) = pod["containers"]
    assert container["args"] == [f"--config=/etc/collector/{name}" for name in files]
    (told,) = re.findall(r"OpenTelemetry Collector \(contrib, (\S+)\)", DOCS.read_text())
    assert container["image"] == f"otel/opentelemetry-collector-contrib:{told}.0"


def test_what_the_environment_sets_is_what_the_files_read(objects: dict[str, Manifest], pod: Manifest) -> None:
    (container,) = pod["containers"]
    read = set(re.findall(r"\$\{env:(\w+)", "".join(objects[f"{NAME}-files"]["data"].values()))) | {"NODE_NAME"}
    given = {*objects[NAME]["data"], *(variable["name"] for variable in container["env"])}
    assert given - read == {"GOMEMLIMIT"}
    assert {"TRACES_ENDPOINT", "LOGS_ENDPOINT", "NODE_NAME"} <= given


def test_spans_stay_on_their_node(objects: dict[str, Manifest], pod: Manifest) -> None:
    service = objects["Service"]["spec"]
    assert service["internalTrafficPolicy"] == "Local"
    assert [port["port"] for port in service["ports"]] == [4318]
    assert service["selector"].items() <= objects["DaemonSet"]["spec"]["template"]["metadata"]["labels"].items()
    assert pod["tolerations"] == [{"operator": "Exists"}]


def test_an_overlay_names_the_namespace_and_the_stores(tmp_path: Path) -> None:
    """The one of the docs, also of the account that the role is given to."""
    (overlay,) = re.findall(r"```yaml\n(# kustomization\.yaml\n.*?)```", DOCS.read_text(), re.DOTALL)
    mine = yaml.safe_load(overlay)
    mine["resources"] = [os.path.relpath(FOLDER, tmp_path)]
    (tmp_path / "kustomization.yaml").write_text(yaml_text.dump(mine))
    objects = rendered(tmp_path)
    (subject,) = objects["ClusterRoleBinding"]["subjects"]
    namespaced = ("ServiceAccount", "Service", "DaemonSet", NAME, f"{NAME}-files")
    assert {objects[name]["metadata"]["namespace"] for name in namespaced} == {mine["namespace"]}
    assert subject["namespace"] == mine["namespace"] != rendered(FOLDER)["Service"]["metadata"]["namespace"]
    told = dict(line.split("=", 1) for line in mine["configMapGenerator"][0]["literals"])
    assert objects[NAME]["data"].items() >= told.items()
    assert {"TRACES_ENDPOINT", "LOGS_ENDPOINT"} <= told.keys()
