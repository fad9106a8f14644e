"""A pod beside the release, of the service's own image, that runs a script under Pod Security `restricted`."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .cluster import RELEASE, Cluster, Manifest

PYTHON = "/usr/local/bin/python3"
# Where the script finds the release's API key.
CREDENTIALS = "/etc/credentials"


@contextmanager
def helper_pod(
    cluster: Cluster, name: str, image: str, script: str, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Ready within the block; removed when left."""
    cluster.kubectl("apply", "--filename", "-", stdin=json.dumps(_pod(name, image, script, environment or {})))
    try:
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        yield
    finally:
        cluster.kubectl("delete", "pod", name, "--grace-period=1", "--ignore-not-found")


def execute(cluster: Cluster, pod: str, script: str, *arguments: str) -> str:
    """Run Python in a pod and answer what it printed.

    Raises:
        CommandError: it failed.
    """
    return cluster.kubectl("exec", pod, "--", PYTHON, "-c", script, *arguments)


def _pod(name: str, image: str, script: str, environment: Mapping[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
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
                    "name": name,
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": [PYTHON, "-c", script],
                    "env": [{"name": key, "value": value} for key, value in environment.items()],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"name": "credentials", "mountPath": CREDENTIALS, "readOnly": True}],
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
