"""A Jaeger and a Loki in the cluster, by their configurations for one machine, and what they have."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from observability.stack.programs import OBSERVABILITY

from .client import PortForward
from .cluster import Manifest

JAEGER_IMAGE, LOKI_IMAGE = "E2E_JAEGER_IMAGE", "E2E_LOKI_IMAGE"
SECONDS = 10
NOT_FOUND = 404


@dataclass(frozen=True)
class Stores:
    """The ways to both."""

    jaeger: PortForward
    loki: PortForward

    def spans(self, trace_id: str) -> dict[str, dict[str, str]]:
        """Of each span, by its name, what its resource says; of none where the trace is not there."""
        try:
            document = _get(f"{self.jaeger.url()}/api/v3/traces/{trace_id}")["result"]
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != NOT_FOUND:
                raise
            return {}
        return {
            span["name"]: {item["key"]: item["value"].get("stringValue", "") for item in one["resource"]["attributes"]}
            for one in document["resourceSpans"]
            for scope in one["scopeSpans"]
            for span in scope["spans"]
        }

    def lines(self, containing: str) -> list[tuple[dict[str, str], str]]:
        """Each line with what stands beside it."""
        query = {"query": f'{{service_name="inventory-api"}} |= "{containing}"', "since": "1h"}
        found = _get(f"{self.loki.url()}/loki/api/v1/query_range?{urllib.parse.urlencode(query)}")["data"]["result"]
        return [(stream["stream"], value[1]) for stream in found for value in stream["values"]]


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=SECONDS) as response:
        return json.load(response)


def jaeger() -> list[Manifest]:
    environment = {"JAEGER_QUERY": "0.0.0.0:16686", "JAEGER_OTLP": "0.0.0.0:4318"}
    return _store("jaeger", JAEGER_IMAGE, ["--config=/etc/store/jaeger.yaml"], environment, 4318, {"port": 16686})


def loki() -> list[Manifest]:
    arguments = ["-config.file=/etc/store/loki.yaml", "-config.expand-env=true", "-log.level=error"]
    return _store("loki", LOKI_IMAGE, arguments, {"LOKI_DATA": "/data"}, 3100, {"port": 3100, "path": "/ready"})


def _store(
    name: str, image: str, arguments: list[str], environment: dict[str, str], port: int, ready: Manifest
) -> list[Manifest]:
    """A pod and its Service; `port` is where it takes what it keeps."""
    metadata = {"name": name, "labels": {"app": name}}
    file = f"{name}.yaml"
    container = {
        "name": name,
        "image": os.environ[image],
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "readinessProbe": {"httpGet": {"path": "/", **ready}, "periodSeconds": 1},
        "volumeMounts": [{"name": "files", "mountPath": "/etc/store"}, {"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532},
        "containers": [container],
        "volumes": [{"name": "files", "configMap": {"name": name}}, {"name": "data", "emptyDir": {}}],
    }
    data = {file: (OBSERVABILITY / "stack" / file).read_text()}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": metadata["labels"], "ports": [{"port": port}]},
        },
    ]
