"""A load from inside the cluster, through the Service, by the service's own image."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.waiting import await_claim

from .cluster import RELEASE, Cluster, say
from .helper_pod import execute, helper_pod

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
    with helper_pod(cluster, POD, image, SCRIPT.read_text(), {"HOST": RELEASE, "SKU": sku}):
        yield result
        execute(cluster, POD, "open('/tmp/stop', 'w').close()")
        await_claim("the load has ended", lambda: _phase(cluster) in {"Succeeded", "Failed"})
        printed = json.loads(cluster.kubectl("logs", POD))
        result.sent, result.failures = printed["sent"], printed["failures"]
        say(f"load: {sum(result.sent.values())} requests, {len(result.failures)} lost; {result.sent}")


def _phase(cluster: Cluster) -> str:
    return cluster.kubectl("get", "pod", POD, "--output", "jsonpath={.status.phase}")
