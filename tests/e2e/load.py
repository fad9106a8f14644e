"""A load from inside the cluster, through the Service, by the service's own image."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.waiting import await_claim

from .cluster import RELEASE, Cluster, Manifest, say

SCRIPT = Path(__file__).with_name("load_client.py")
POD = "load"


@dataclass
class Load:
    """What was sent, known when the load has ended."""

    sent: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@contextmanager
def load(cluster: Cluster, image: str, sku: str) -> Iterator[Load]:
    """Run the load for as long as the block lasts."""
    result = Load()
    say("load starts")
    cluster.kubectl("apply", "--filename", "-", stdin=json.dumps(_pod(image, sku)))
    try:
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=60s")
        yield result
        cluster.kubectl("exec", POD, "--", "/usr/local/bin/python3", "-c", "open('/tmp/stop', 'w').close()")
        await_claim("the load has ended", lambda: _phase(cluster) in {"Succeeded", "Failed"})
        printed = json.loads(cluster.kubectl("logs", POD))
        result.sent, result.failures = printed["sent"], printed["failures"]
        say(f"load: {sum(result.sent.values())} requests, {len(result.failures)} lost; {result.sent}")
    finally:
        cluster.kubectl("delete", "pod", POD, "--grace-period=1", "--ignore-not-found")


def _phase(cluster: Cluster) -> str:
    return cluster.kubectl("get", "pod", POD, "--output", "jsonpath={.status.phase}")


def _pod(image: str, sku: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": POD,
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/usr/local/bin/python3", "-c", SCRIPT.read_text()],
                    "env": [{"name": "HOST", "value": RELEASE}, {"name": "SKU", "value": sku}],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"name": "credentials", "mountPath": "/etc/credentials", "readOnly": True}],
                }
            ],
            "volumes": [
                {
                    "name": "credentials",
                    "secret": {
                        "secretName": f"{RELEASE}-api-keys",
                        "defaultMode": 0o440,
                        "items": [{"key": "admin", "path": "admin"}],
                    },
                }
            ],
        },
    }
