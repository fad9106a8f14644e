"""A pod that is no part of the release, and whether a pod can connect to an address."""

from collections.abc import Iterator
from contextlib import contextmanager

from .cluster import Cluster, CommandError
from .helper_pod import execute, helper_pod

NAME = "stranger"
WAIT = "import time; time.sleep(3600)"
# A drop is a time-out; an answer on this network comes within milliseconds.
CONNECT_SECONDS = 3
CONNECT = f"import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), {CONNECT_SECONDS})"


@contextmanager
def stranger(cluster: Cluster, image: str) -> Iterator[str]:
    """The name of a pod that waits; removed when left."""
    with helper_pod(cluster, NAME, image, WAIT):
        yield NAME


def connects(cluster: Cluster, pod: str, host: str, port: int) -> bool:
    """Whether a TCP connection from that pod is made; False where it is dropped.

    Raises:
        CommandError: anything else, such as a name that is not found.
    """
    try:
        execute(cluster, pod, CONNECT, host, str(port))
    except CommandError as error:
        if "TimeoutError" in str(error):
            return False
        raise
    return True
