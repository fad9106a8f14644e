"""A pod that is no part of the release, and whether a pod can connect to an address."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from .cluster import Cluster, CommandError, Manifest

NAME = "stranger"
PYTHON = "/usr/local/bin/python3"
# A drop is a time-out; an answer on this network comes within milliseconds.
CONNECT_SECONDS = 3
CONNECT = f"import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), {CONNECT_SECONDS})"


@contextmanager
def stranger(cluster: Cluster, image: str) -> Iterator[str]:
    """The name of a pod that waits; removed when left."""
    cluster.kubectl("apply", "--filename", "-", stdin=json.dumps(_pod(image)))
    try:
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s")
        yield NAME
    finally:
        cluster.kubectl("delete", "pod", NAME, "--grace-period=1", "--ignore-not-found")


def connects(cluster: Cluster, pod: str, host: str, port: int) -> bool:
    """Whether a TCP connection from that pod is made; False where it is dropped.

    Raises:
        CommandError: anything else, such as a name that is not found.
    """
    try:
        cluster.kubectl("exec", pod, "--", PYTHON, "-c", CONNECT, host, str(port))
    except CommandError as error:
        if "TimeoutError" in str(error):
            return False
        raise
    return True


def _pod(image: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": NAME,
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": [PYTHON, "-c", "import time; time.sleep(3600)"],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
