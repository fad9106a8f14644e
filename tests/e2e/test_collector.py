"""By the manifests of the collector, one request is found in every place, with the pods that did it."""

import asyncio
import json
import os
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.shop import trace
from tests.support.waiting import await_claim

from .client import Client, PortForward
from .cluster import RELEASE, Cluster, say
from .collector import IMAGE, a_node, collector
from .conftest import ITEM
from .helper_pod import execute
from .stores import JAEGER_IMAGE, LOKI_IMAGE, Stores

DEPLOYMENTS = {"api": RELEASE, "worker": f"{RELEASE}-worker"}
SPANS = {"POST /orders": "api", "job event": "worker", "webhook deliver": "worker"}
PLACES = ("logs", "spans", "audit", "movements", "jobs", "deliveries")
# Not in the cluster: the service sends to public addresses alone.
PARTNER = {"url": "https://partner.invalid/hook", "events": ["order.created"]}
# A span that says nothing of where it is from.
SEND = """
import json, os, sys, time, urllib.request
span = {"traceId": sys.argv[1], "spanId": os.urandom(8).hex(), "name": "unsaid", "kind": 1}
span |= {"startTimeUnixNano": str(time.time_ns()), "endTimeUnixNano": str(time.time_ns())}
body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
request = urllib.request.Request(sys.argv[2] + "/v1/traces", body, {"Content-Type": "application/json"})
urllib.request.urlopen(request, timeout=10).read()
"""


@pytest.fixture(scope="module")
def watched(own_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Stores]]:
    """The release beside a collector, on one node where the nodes' logs are not all at the usual place."""
    missing = [name for name in (IMAGE, JAEGER_IMAGE, LOKI_IMAGE) if not os.environ.get(name)]
    if missing:
        pytest.skip(f"NOT PROVEN: the collector on a cluster, as no image is named by {', '.join(missing)}")
    node = a_node()
    pins = [f"nodeSelector.{key}={value}".replace("s.io", r"s\.io") for key, value in node.pinned.items()]
    with collector(own_cluster, tmp_path_factory.mktemp("overlay"), node) as (endpoint, stores):
        say(f"the collector reads {node.logs} {'of ' + node.name if node.pinned else ''}")
        # The volumes of a cluster are few, and these data may end with their pod.
        own_cluster.install(f"otlp.endpoint={endpoint}", "database.bundled.persistence.enabled=false", *pins)
        yield endpoint, stores


@pytest.fixture(scope="module")
def stores(watched: tuple[str, Stores]) -> Stores:
    return watched[1]


@pytest.fixture(scope="module")
def request_id(own_cluster: Cluster, stores: Stores) -> str:
    """Of an order that a partner is to be told of."""
    with PortForward(own_cluster, f"service/{RELEASE}", 80) as forward:
        client = Client(forward, own_cluster.key())
        assert client.request("PUT", "/inventory/first", ITEM).status == 201
        assert client.request("POST", "/webhooks/endpoints", PARTNER).status == 201
        body = {"lines": [{"sku": "first", "quantity": 1}]}
        sold = client.request("POST", "/orders", body, {"Idempotency-Key": "e2e"})
    assert sold.status == 201
    return sold.request_id


@pytest.fixture(scope="module")
def found(own_cluster: Cluster, stores: Stores, request_id: str) -> dict[str, Any]:
    """What `inventory-api trace` tells, once every place has its part."""
    url = b64decode(own_cluster.secret("database")["url"]).decode()
    host = urlsplit(url).netloc.rpartition("@")[2]
    with PortForward(own_cluster, f"pod/{RELEASE}-postgresql-0", 5432) as database:

        def whole() -> dict[str, Any] | None:
            settings = {"INVENTORY_DATABASE_URL": url.replace(host, urlsplit(database.url()).netloc)}
            options = ("--jaeger", stores.jaeger.url(), "--loki", stores.loki.url(), "--json")
            done = asyncio.run(trace(request_id, *options, **settings))
            told: dict[str, Any] = json.loads(done.stdout)
            loggers = {line["logger"] for line in told["logs"]["rows"]}
            is_whole = SPANS.keys() <= {span["name"] for span in told["spans"]["rows"]} and len(loggers) >= len(SPANS)
            return told if is_whole and done.returncode == 0 else None

        told = await_claim("every place has its part", whole)
    say(f"{request_id}: " + ", ".join(f"{len(told[place]['rows'])} {place}" for place in PLACES))
    return told


def pods(cluster: Cluster) -> dict[str, str]:
    """The one of each component."""
    found = {component: cluster.items("pods", component) for component in DEPLOYMENTS}
    return {component: pod["metadata"]["name"] for component, (pod,) in found.items()}


def test_one_id_joins_six_places(found: dict[str, Any]) -> None:
    (trace_id,) = found["trace_ids"]
    assert {row["trace_id"] for place in PLACES for row in found[place]["rows"]} == {trace_id}
    assert [len(found[place]["rows"]) for place in PLACES[2:]] == [1, 1, 1, 1]
    assert [(job["entrypoint"], job["state"]) for job in found["jobs"]["rows"]] == [("event", "done")]
    assert found["deliveries"]["rows"][0]["attempts"][0]["reason"] == "connect"


def test_a_span_tells_of_its_pod(own_cluster: Cluster, stores: Stores, found: dict[str, Any]) -> None:
    """The pod's labels are what the collector alone can say."""
    (trace_id,) = found["trace_ids"]
    spans, named = stores.spans(trace_id), pods(own_cluster)
    for name, component in SPANS.items():
        expected = {
            "k8s.namespace.name": own_cluster.namespace,
            "k8s.pod.name": named[component],
            "k8s.deployment.name": DEPLOYMENTS[component],
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/instance": RELEASE,
        }
        assert {key: spans[name].get(key) for key in expected} == expected, name
        say(f"{name}: {named[component]} of {DEPLOYMENTS[component]}")


def test_a_span_that_says_nothing_is_known_by_where_it_came_from(
    own_cluster: Cluster, watched: tuple[str, Stores]
) -> None:
    """So the Service hides no sender's address."""
    trace_id, name = os.urandom(16).hex(), pods(own_cluster)["api"]
    endpoint, stores = watched
    execute(own_cluster, name, SEND, trace_id, endpoint)

    def kept() -> dict[str, str] | None:
        return stores.spans(trace_id).get("unsaid")

    resource = await_claim("its span is kept", kept)
    assert resource["k8s.pod.name"] == name
    assert resource["k8s.deployment.name"] == RELEASE


def test_a_line_tells_of_its_pod(own_cluster: Cluster, stores: Stores, request_id: str, found: dict[str, Any]) -> None:
    """The path of its file says the pod, and the cluster the rest."""
    lines, named = stores.lines(request_id), pods(own_cluster)
    assert {json.loads(line)["request_id"] for _, line in lines} == {request_id}
    assert len(lines) >= len(found["logs"]["rows"])
    told = {(beside["k8s_pod_name"], beside["k8s_deployment_name"]) for beside, _ in lines}
    assert told == {(named[component], DEPLOYMENTS[component]) for component in DEPLOYMENTS}
    assert {beside["app_kubernetes_io_component"] for beside, _ in lines} == {*DEPLOYMENTS}
    assert {beside["request_id"] for beside, _ in lines} == {request_id}
    say(f"{len(lines)} lines of {', '.join(sorted(named.values()))}")
