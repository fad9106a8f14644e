"""A Prometheus finds the pods by the chart's ServiceMonitor, and the chart's rules tell of a fault and of its end."""

import json
from collections.abc import Iterator

import pytest

from tests.support.waiting import await_claim

from .client import Client, PortForward
from .cluster import RELEASE, Cluster, CommandError, run, say
from .monitoring import Prometheus, prometheus

VALUES = [
    "metrics.serviceMonitor.enabled=true",
    "metrics.serviceMonitor.interval=5s",
    "metrics.serviceMonitor.scrapeTimeout=4s",
    "metrics.prometheusRule.enabled=true",
    "networkPolicy.enabled=true",
    # The volumes of a cluster are few, and these data may end with their pod.
    "database.bundled.persistence.enabled=false",
]
PODS = {"api": RELEASE, "worker": f"{RELEASE}-worker"}
ALERT = "InventoryApiProbeFailing"
# Who is connected goes, and nobody comes in.
CLOSED = "ALTER DATABASE inventory ALLOW_CONNECTIONS false"
ENDED = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'inventory'"
OPEN = "ALTER DATABASE inventory ALLOW_CONNECTIONS true"


@pytest.fixture(scope="module", autouse=True)
def _kinds() -> None:
    """The kinds of the Prometheus Operator, whose definitions are all that is needed of it."""
    try:
        run("kubectl", "get", "customresourcedefinition", "prometheusrules.monitoring.coreos.com")
    except CommandError:
        pytest.skip("this cluster does not know PrometheusRules")


@pytest.fixture(scope="module")
def watched(own_cluster: Cluster) -> Iterator[Prometheus]:
    own_cluster.install(*VALUES)
    monitor, rule = (
        json.loads(own_cluster.kubectl("get", kind, RELEASE, "--output", "json"))
        for kind in ("servicemonitor", "prometheusrule")
    )
    with prometheus(own_cluster, monitor, rule) as watching:
        yield watching


def test_every_pod_of_the_release_is_scraped_and_no_other(own_cluster: Cluster, watched: Prometheus) -> None:
    pods = {pod["metadata"]["name"] for component in PODS for pod in own_cluster.items("pods", component)}

    def scraped() -> bool:
        targets = watched.targets()
        return {target["labels"]["pod"] for target in targets if target["health"] == "up"} == pods

    await_claim("its pods are scraped", scraped)
    say(f"{len(pods)} pods are scraped")
    assert {target["labels"]["job"] for target in watched.targets()} == {RELEASE}
    assert {target["labels"]["namespace"] for target in watched.targets()} == {own_cluster.namespace}


def test_requests_are_counted_by_the_rules(own_cluster: Cluster, watched: Prometheus) -> None:
    requests = 'inventory_api:slo_requests:rate5m{slo="availability"}'
    with PortForward(own_cluster, f"service/{RELEASE}", 80) as forward:
        client = Client(forward, own_cluster.key())

        def counted() -> bool:
            assert client.request("GET", "/inventory", None).status == 200
            return any(float(found["value"][1]) > 0 for found in watched.query(requests))

        await_claim("requests are counted", counted)
    assert watched.broken_rules() == []


def test_an_alert_tells_of_a_fault_and_of_its_end(own_cluster: Cluster, watched: Prometheus) -> None:
    """The rule as it is shipped, with the time that it waits."""
    await_claim("all is well", lambda: watched.state(ALERT) == "inactive")
    sql(own_cluster, CLOSED)
    try:
        await_claim("nobody is connected", lambda: sql(own_cluster, ENDED) == "0")
        await_claim("the alert waits", lambda: watched.state(ALERT) == "pending", 60)
        say("pending")
        await_claim("the alert fires", lambda: watched.state(ALERT) == "firing", 240)
        pods = {pod["metadata"]["name"] for component in PODS for pod in own_cluster.items("pods", component)}

        def told() -> bool:
            return {found["metric"]["pod"] for found in firing(watched)} == pods

        await_claim("it fires for every pod", told, 60)
        assert {found["metric"]["severity"] for found in firing(watched)} == {"critical"}
        say("firing")
    finally:
        sql(own_cluster, OPEN)
    await_claim("the alert has ended", lambda: watched.state(ALERT) == "inactive", 120)
    assert not firing(watched)


def firing(watched: Prometheus) -> list[dict[str, dict[str, str]]]:
    return watched.query(f'ALERTS{{alertname="{ALERT}", alertstate="firing"}}')


def sql(cluster: Cluster, statement: str) -> str:
    """What the bundled server answers; past the service's own database."""
    command = ["psql", "-U", "inventory", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-Atc", statement]
    return cluster.kubectl("exec", f"{RELEASE}-postgresql-0", "--", *command).strip()
