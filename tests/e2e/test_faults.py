"""What the kubelet sees when something breaks in a release with no values, and that all of it comes back."""

from collections.abc import Iterator

import pytest

from tests.support.waiting import await_claim

from .client import Client, PortForward
from .cluster import RELEASE, Cluster, Manifest, is_ready, restarts, say
from .conftest import ITEM

SKU = "kept"
WEDGE = """
import os, signal
for process in filter(str.isdigit, os.listdir("/proc")):
    if int(process) != os.getpid() and open(f"/proc/{process}/stat").read().split()[3] == "1":
        os.kill(int(process), signal.SIGSTOP)
        print(process)
"""
# Many small ones, so that the kernel takes the largest: a server worker, then the supervisor and the container with it.
EAT = """
import os, time
for _ in range(60):
    if os.fork() == 0:
        held = b"1" * 2**24
        time.sleep(20)
        os._exit(0)
    time.sleep(0.05)
time.sleep(20)
"""


@pytest.fixture(scope="module")
def client(own_cluster: Cluster) -> Iterator[Client]:
    """Of the installed release, with an item."""
    own_cluster.install()
    with PortForward(own_cluster, f"service/{RELEASE}", 80) as forward:
        made = Client(forward, own_cluster.key())
        assert made.request("PUT", f"/inventory/{SKU}", ITEM).status == 201
        yield made


def api_pod(cluster: Cluster) -> Manifest:
    """The only pod of the API."""
    (pod,) = cluster.items("pods", "api")
    return pod


def probe_failures(cluster: Cluster, pod: str) -> str:
    """What the kubelet has told of the pod's probes."""
    told = [event["message"] for event in cluster.items("events") if event["involvedObject"]["name"] == pod]
    return "\n".join(message for message in told if "probe failed" in message)


def readable(client: Client) -> bool:
    return client.request("GET", f"/inventory/{SKU}").status == 200


def test_a_lost_database_takes_the_pod_out_of_the_service_and_back(own_cluster: Cluster, client: Client) -> None:
    """Readiness tells, liveness does not: the same pod, never restarted, serves the same data again."""
    pod = api_pod(own_cluster)
    name = pod["metadata"]["name"]
    before = client.request("GET", f"/inventory/{SKU}").json
    own_cluster.scale_database(0)
    await_claim("the API pod has left the Service", lambda: own_cluster.serving() == set())
    say("the API pod has left the Service")
    with PortForward(own_cluster, f"pod/{name}", 9000) as management:
        assert Client(management).request("GET", "/system/live").status == 200
        ready = Client(management).request("GET", "/system/ready")
    assert ready.status == 503
    assert ready.json["checks"]["database"]["status"] == "failed"
    refused = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    await_claim("the kubelet tells of it", lambda: refused in probe_failures(own_cluster, name))
    own_cluster.scale_database(1)
    await_claim("the API pod is back behind the Service", lambda: own_cluster.serving() == {name})
    say("the API pod is back")
    again = api_pod(own_cluster)
    assert again["metadata"]["uid"] == pod["metadata"]["uid"]
    assert restarts([again]) == {name: 0}
    assert "Liveness" not in probe_failures(own_cluster, name)
    assert client.request("GET", f"/inventory/{SKU}").json == before


def test_a_deleted_database_pod_comes_back_with_its_data(own_cluster: Cluster, client: Client) -> None:
    """The volume is the database; its pod is not."""
    before = client.request("GET", f"/inventory/{SKU}").json
    pod = api_pod(own_cluster)
    own_cluster.kubectl("delete", "pod", f"{RELEASE}-postgresql-0")
    own_cluster.kubectl("rollout", "status", f"statefulset/{RELEASE}-postgresql", "--timeout=120s")
    await_claim("the item is served again", lambda: readable(client))
    assert client.request("GET", f"/inventory/{SKU}").json == before
    assert restarts([api_pod(own_cluster)]) == restarts([pod])


def test_a_wedged_server_worker_is_replaced_and_the_pod_is_not_restarted(own_cluster: Cluster, client: Client) -> None:
    """The kubelet sees probes without an answer, and the supervisor is sooner."""
    name = api_pod(own_cluster)["metadata"]["name"]
    wedged = own_cluster.kubectl("exec", name, "--", "/usr/local/bin/python3", "-c", WEDGE).split()
    assert len(wedged) == 1
    say("the server worker is stopped")
    failed = "Readiness probe failed: Get"
    await_claim("the kubelet sees it", lambda: failed in probe_failures(own_cluster, name))
    await_claim("it is replaced", lambda: "has ended: wedged" in own_cluster.kubectl("logs", name))
    await_claim("the pod serves", lambda: own_cluster.settled(1) and readable(client))
    assert restarts([api_pod(own_cluster)]) == {name: 0}


def test_a_memory_limit_that_is_hit_is_seen_and_the_pod_serves_again(own_cluster: Cluster, client: Client) -> None:
    """OOMKilled, told by Kubernetes; the same pod, with another container."""
    pod = api_pod(own_cluster)
    name = pod["metadata"]["name"]
    eaten = own_cluster.attempt(["exec", name, "--", "/usr/local/bin/python3", "-c", EAT])
    say(f"the kernel has ended it: {eaten.splitlines()[-1:]}")

    def reason() -> str:
        (status,) = api_pod(own_cluster)["status"]["containerStatuses"]
        return str(status["lastState"].get("terminated", {}).get("reason"))

    await_claim("Kubernetes says why", lambda: reason() == "OOMKilled")
    await_claim("the pod serves", lambda: own_cluster.settled(1) and readable(client))
    again = api_pod(own_cluster)
    assert is_ready(again)
    assert again["metadata"]["uid"] == pod["metadata"]["uid"]
