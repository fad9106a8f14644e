"""A Prometheus in the cluster that looks for what the Prometheus Operator would, by the objects of the chart."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .client import PortForward
from .cluster import Cluster, Manifest

NAME = "prometheus"
IMAGE = "docker.io/prom/prometheus:v3"
PORT = 9090
COMMAND = ["prometheus", "--config.file=/etc/prometheus/prometheus.yaml", "--storage.tsdb.path=/data"]
METADATA: Manifest = {"name": NAME, "labels": {"app": NAME}}
SECONDS = 10


class Prometheus:
    """What it knows."""

    def __init__(self, forward: PortForward) -> None:
        self._forward = forward

    def query(self, expression: str) -> list[Manifest]:
        """The samples of an instant query."""
        found = self._get("query", {"query": expression})["result"]
        assert isinstance(found, list)
        return found

    def targets(self) -> list[Manifest]:
        """Those that it scrapes now."""
        found = self._get("targets", {"state": "active"})["activeTargets"]
        assert isinstance(found, list)
        return found

    def state(self, alert: str) -> str:
        """`inactive`, `pending` or `firing`; empty where there is no such alert."""
        groups = self._get("rules", {"type": "alert"})["groups"]
        return next((str(rule["state"]) for group in groups for rule in group["rules"] if rule["name"] == alert), "")

    def broken_rules(self) -> list[tuple[str, str]]:
        """Names and errors of the rules that could not be evaluated."""
        rules = [rule for group in self._get("rules", {})["groups"] for rule in group["rules"]]
        return [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] == "err"]

    def _get(self, path: str, parameters: dict[str, str]) -> Any:
        url = f"{self._forward.url()}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=SECONDS) as response:
            return json.load(response)["data"]


@contextmanager
def prometheus(cluster: Cluster, monitor: Manifest, rule: Manifest) -> Iterator[Prometheus]:
    """Ready within the block; removed when left. `monitor` is a ServiceMonitor, `rule` a PrometheusRule."""
    objects = [*_access(cluster.namespace), _files(cluster.namespace, monitor, rule), _pod()]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    cluster.kubectl("apply", "--filename", "-", stdin=manifest)
    try:
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=120s")
        with PortForward(cluster, f"pod/{NAME}", PORT) as forward:
            yield Prometheus(forward)
    finally:
        cluster.kubectl("delete", "--filename", "-", "--ignore-not-found", "--grace-period=1", stdin=manifest)


def scrape_config(namespace: str, monitor: Manifest) -> Manifest:
    """What the operator makes of a ServiceMonitor with one endpoint."""
    spec = monitor["spec"]
    (endpoint,) = spec["endpoints"]
    service = "__meta_kubernetes_service_label_"
    wanted = dict(spec["selector"].get("matchLabels", {}))
    wanted |= {
        found["key"]: "|".join(found["values"])
        for found in spec["selector"].get("matchExpressions", [])
        if found["operator"] == "In"
    }
    keep = [
        {"action": "keep", "source_labels": [service + _label(name)], "regex": value} for name, value in wanted.items()
    ]
    keep.append(
        {"action": "keep", "source_labels": ["__meta_kubernetes_endpoint_port_name"], "regex": endpoint["port"]}
    )
    sources = {
        "namespace": "__meta_kubernetes_namespace",
        "service": "__meta_kubernetes_service_name",
        "pod": "__meta_kubernetes_pod_name",
    }
    return {
        "job_name": f"serviceMonitor/{namespace}/{monitor['metadata']['name']}",
        "metrics_path": endpoint["path"],
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["scrapeTimeout"],
        "kubernetes_sd_configs": [{"role": "endpoints", "namespaces": {"names": [namespace]}}],
        "relabel_configs": [
            *keep,
            *({"source_labels": [source], "target_label": target} for target, source in sources.items()),
            {"target_label": "endpoint", "replacement": endpoint["port"]},
            *(
                {"target_label": one["targetLabel"], "replacement": one["replacement"]}
                for one in endpoint["relabelings"]
            ),
        ],
    }


def _label(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _files(namespace: str, monitor: Manifest, rule: Manifest) -> Manifest:
    configuration = {
        "global": {"evaluation_interval": "5s"},
        "rule_files": ["/etc/prometheus/rules.yaml"],
        "scrape_configs": [scrape_config(namespace, monitor)],
    }
    # JSON is YAML.
    data = {"prometheus.yaml": json.dumps(configuration), "rules.yaml": json.dumps(rule["spec"])}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": METADATA, "data": data}


def _access(namespace: str) -> list[Manifest]:
    group = "rbac.authorization.k8s.io"
    found = {"apiGroups": [""], "resources": ["services", "endpoints", "pods"], "verbs": ["get", "list", "watch"]}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": METADATA},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": METADATA, "rules": [found]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": METADATA,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        },
    ]


def _pod() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": METADATA,
        "spec": {
            "serviceAccountName": NAME,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "fsGroup": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": NAME,
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": COMMAND,
                    "ports": [{"containerPort": PORT}],
                    "readinessProbe": {"httpGet": {"path": "/-/ready", "port": PORT}, "periodSeconds": 1},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [
                        {"name": "files", "mountPath": "/etc/prometheus"},
                        {"name": "data", "mountPath": "/data"},
                    ],
                }
            ],
            "volumes": [{"name": "files", "configMap": {"name": NAME}}, {"name": "data", "emptyDir": {}}],
        },
    }
