"""A collector in the cluster by `observability/collector`, with stores that it writes to."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helm import yaml_text
from observability.stack.programs import OBSERVABILITY

from .client import PortForward
from .cluster import Cluster, Manifest, run
from .stores import Stores, jaeger, loki

NAME = "inventory-collector"
IMAGE = "E2E_OTELCOL_IMAGE"
USUAL_LOGS = "/var/log/pods"


@dataclass(frozen=True)
class Node:
    """Where a kubelet keeps the pods' logs; `pinned` where that is not as on other nodes."""

    name: str
    logs: str

    @property
    def pinned(self) -> dict[str, str]:
        return {} if self.logs == USUAL_LOGS else {"kubernetes.io/hostname": self.name}


def a_node() -> Node:
    """One that takes pods."""
    nodes = json.loads(run("kubectl", "get", "nodes", "--output", "json"))["items"]
    name = next(node["metadata"]["name"] for node in nodes if not node["spec"].get("unschedulable"))
    configuration = json.loads(run("kubectl", "get", "--raw", f"/api/v1/nodes/{name}/proxy/configz"))
    return Node(name, configuration["kubeletconfig"].get("podLogsDir", USUAL_LOGS).rstrip("/"))


@contextmanager
def collector(cluster: Cluster, folder: Path, node: Node) -> Iterator[tuple[str, Stores]]:
    """Where it takes spans, and what it writes to, ready within the block; what is not the namespace's is removed."""
    namespace = cluster.namespace
    # The way to the nodes' logs is a hostPath.
    run("kubectl", "label", "--overwrite", "namespace", namespace, "pod-security.kubernetes.io/enforce=privileged")
    stores = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*jaeger(), *loki()]})
    cluster.kubectl("apply", "--filename", "-", stdin=stores)
    suffix = f"-{namespace[-6:]}"
    (folder / "kustomization.yaml").write_text(yaml_text.dump(_overlay(namespace, suffix, folder, node)))
    try:
        run("kubectl", "apply", "--kustomize", str(folder))
        cluster.kubectl("rollout", "status", f"daemonset/{NAME}{suffix}", "--timeout=120s")
        cluster.kubectl("wait", "--for=condition=Ready", "pod/jaeger", "pod/loki", "--timeout=120s")
        with PortForward(cluster, "pod/jaeger", 16686) as traces, PortForward(cluster, "pod/loki", 3100) as logs:
            yield f"http://{NAME}{suffix}.{namespace}:4318", Stores(traces, logs)
    finally:
        run("kubectl", "delete", "--kustomize", str(folder), "--ignore-not-found", "--wait=false")


def _overlay(namespace: str, suffix: str, folder: Path, node: Node) -> Manifest:
    name, _, tag = os.environ[IMAGE].rpartition(":")
    literals = [f"TRACES_ENDPOINT=http://jaeger.{namespace}:4318", f"LOGS_ENDPOINT=http://loki.{namespace}:3100"]
    literals += ["KEPT_PERCENTAGE=100", "DECISION_WAIT=1s"]
    pod = {"nodeSelector": node.pinned, "volumes": [{"name": "logs", "hostPath": {"path": node.logs}}]}
    patch = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": NAME}}
    return {
        "namespace": namespace,
        # Roles are the cluster's, and somebody may have a collector by the same manifests.
        "nameSuffix": suffix,
        "resources": [os.path.relpath(OBSERVABILITY / "collector", folder)],
        "images": [{"name": "otel/opentelemetry-collector-contrib", "newName": name, "newTag": tag}],
        "configMapGenerator": [{"name": NAME, "behavior": "merge", "literals": literals}],
        "patches": [{"patch": json.dumps({**patch, "spec": {"template": {"spec": pod}}})}],
    }
