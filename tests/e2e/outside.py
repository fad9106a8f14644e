"""An open-loop load on a NodePort, from this machine: what a client outside of the cluster sees."""

import json
import socket
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.drills.load import Request, loading
from tests.drills.outcomes import Outcomes
from tests.support.waiting import await_claim

from .cluster import RELEASE, Cluster, run, say

# On kept connections, and as many on new ones.
RATE = 10
REACH_SECONDS = 3
LEAST = 5
ADJUSTMENT = '{"lines": [{"sku": "%s", "delta": 1, "reason": "found"}]}'


@dataclass
class OutsideLoad:
    """Known when it has ended: the outcomes of half of the requests on kept, half on new connections."""

    outcomes: Outcomes = field(default_factory=Outcomes)

    @property
    def lost(self) -> dict[str, int]:
        """What was not answered with success, by what it was."""
        failed = self.outcomes.where(lambda outcome: not 200 <= outcome.status < 300)
        return dict(Counter(f"{outcome.kind}: {outcome.label} {outcome.message}" for outcome in failed))


@contextmanager
def load_from_outside(
    cluster: Cluster, directory: Path, skus: Sequence[str], key: str, rate: float = RATE
) -> Iterator[OutsideLoad]:
    """Reads, edits and adjustments of the items at a steady rate, whatever comes back, until left."""
    host, port = address(cluster)
    found = OutsideLoad()
    with ExitStack() as stack:
        loads = [
            stack.enter_context(loading(directory, port, _requests(skus, key), host=host, rate=rate, keep=keep))
            for keep in (True, False)
        ]
        for load in loads:
            load.wait_for(1)
        yield found
        found.outcomes = Outcomes(outcome for load in loads for outcome in load.stop())
        say(f"load from outside: {len(found.outcomes)} requests, lost: {found.lost or 'none'}")
        assert len(found.outcomes) >= LEAST, "that nothing was lost would say little"


def _requests(skus: Sequence[str], key: str) -> list[Request]:
    """Of one load: numbers are its own, and so must be its keys."""
    headers = {"Authorization": f"Bearer {key}"}
    keyed = {**headers, "Idempotency-Key": f"{uuid.uuid4()}-{{n}}"}
    return [
        request
        for sku in skus
        for request in (
            Request("GET", "GET", f"/inventory/{sku}", headers=headers, weight=3),
            Request("PATCH", "PATCH", f"/inventory/{sku}", '{"name": "Name {n}"}', headers=headers),
            Request("POST", "POST", "/inventory/adjustments", ADJUSTMENT % sku, headers=keyed),
        )
    ]


def address(cluster: Cluster) -> tuple[str, int]:
    """Of the release's NodePort on some node; awaits that it accepts."""
    service = json.loads(cluster.kubectl("get", "service", RELEASE, "--output", "json"))
    port = int(service["spec"]["ports"][0]["nodePort"])
    nodes = json.loads(run("kubectl", "get", "nodes", "--output", "json"))["items"]
    addresses = [
        found["address"] for node in nodes for found in node["status"]["addresses"] if found["type"] == "InternalIP"
    ]
    if not _routed(addresses[0]):
        pytest.skip(f"no way from here to the nodes' ports ({addresses[0]})")
    await_claim("the NodePort accepts", lambda: any(_accepts(host, port) for host in addresses), seconds=30)
    return next(host for host in addresses if _accepts(host, port)), port


def _routed(host: str) -> bool:
    """Whether anything comes back from there, were it a refusal."""
    try:
        socket.create_connection((host, 9), timeout=REACH_SECONDS).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=REACH_SECONDS).close()
    except OSError:
        return False
    return True
