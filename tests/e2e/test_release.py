"""The life of a release, in order: install, use, upgrade, roll out, roll back, uninstall, return, leave nothing."""

import json
import os
import re
import subprocess
from base64 import b64decode
from typing import Any

import pytest
import yaml
from helm import render
from helm.command import CHART

from tests.support.waiting import await_claim

from .client import Client, PortForward
from .cluster import RELEASE, Cluster, Manifest, is_ready, restarts, say
from .conftest import ITEM, Installation
from .load import load
from .production import secret
from .stranger import connects, stranger

KEPT = "kept"
CHANGE = """
from pathlib import Path
file = Path("/source/inventory_api/inventory/service.py")
file.write_text(file.read_text().replace("There is no item with this sku.", "Changed."))
"""
KINDS = "all,configmaps,secrets,serviceaccounts,pvc,endpointslices"
LIVE_RELOAD = render.EXAMPLES / "live-reload" / "values.yaml"


@pytest.fixture
def item(client: Client) -> str:
    """The sku of an item that is there from its first use to the last test."""
    if client.request("GET", f"/inventory/{KEPT}").status == 404:
        assert client.request("PUT", f"/inventory/{KEPT}", ITEM).status == 201
    return KEPT


def api_pod(cluster: Cluster) -> Manifest:
    """The only pod of the API."""
    (pod,) = cluster.items("pods", "api")
    return pod


def log_lines(cluster: Cluster) -> list[dict[str, Any]]:
    """Every line that the API pods have logged, parsed: there is nothing but JSON."""
    selector = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=api"
    return [json.loads(line) for line in cluster.kubectl("logs", "--selector", selector, "--tail=-1").splitlines()]


def test_an_install_with_no_values_gives_ready_pods_without_a_restart(
    cluster: Cluster, installation: Installation
) -> None:
    """Nothing crashes while the database comes up and the schema is made, under Pod Security restricted."""
    cluster.await_job_end("Complete")
    servers = [
        pod for component in ("api", "worker", "postgresql", "valkey") for pod in cluster.items("pods", component)
    ]
    assert len(servers) == 4
    assert all(map(is_ready, servers))
    pods = cluster.items("pods")
    assert restarts(pods) == {pod["metadata"]["name"]: 0 for pod in pods}
    bound = os.environ.get("E2E_ASSERT_INSTALL_SECONDS")
    assert bound is None or installation.seconds_to_first_patch < float(bound)


def test_an_item_is_created_and_patched_through_the_service(client: Client) -> None:
    """PUT creates, PATCH changes the one field that it names."""
    created = client.request("PUT", "/inventory/A-1", ITEM)
    assert created.status == 201
    assert created.headers["ETag"]
    patched = client.request("PATCH", "/inventory/A-1", {"name": "Renamed"})
    assert patched.status == 200
    read = client.request("GET", "/inventory/A-1")
    assert read.status == 200
    assert {name: read.json[name] for name in ITEM} == {**ITEM, "name": "Renamed"}


def test_a_request_is_found_in_log_metrics_and_audit(cluster: Cluster, client: Client, item: str) -> None:
    """One request id joins them: the log line by kubectl, the audit entry with exactly the field that changed."""
    before = client.request("GET", f"/inventory/{item}").json["name"]
    patched = client.request("PATCH", f"/inventory/{item}", {"name": f"{before}, found"})
    assert patched.status == 200
    assert patched.headers["X-Request-ID"] == patched.request_id

    def logged() -> list[dict[str, Any]]:
        lines = [line for line in log_lines(cluster) if line.get("request_id") == patched.request_id]
        return [line for line in lines if line.get("http.route") == "/inventory/{sku}"]

    (line,) = await_claim("its access line is logged", logged)
    assert line["http.request.method"] == "PATCH"
    assert line["http.response.status_code"] == 200
    assert _count(cluster, "PATCH", "/inventory/{sku}", 200) >= 1
    (entry,) = [
        entry
        for entry in client.request("GET", f"/inventory/{item}/audit").json["items"]
        if entry["request_id"] == patched.request_id
    ]
    assert entry["changes"] == {"name": {"before": before, "after": f"{before}, found"}}


def test_an_order_is_told_of_by_the_queue_worker(cluster: Cluster, client: Client, item: str) -> None:
    """Under the id of its request, in another pod."""
    sold = client.request("POST", "/orders", {"lines": [{"sku": item, "quantity": 1}]}, {"Idempotency-Key": "e2e-1"})
    assert sold.status == 201
    (worker,) = cluster.items("pods", "worker")

    def told() -> list[dict[str, Any]]:
        lines = map(json.loads, cluster.kubectl("logs", worker["metadata"]["name"]).splitlines())
        return [line for line in lines if "order.created" in line.get("event.types", ())]

    (line,) = await_claim("the event is told", told)
    assert line["request_id"] == sold.request_id
    cancelled = client.request("POST", f"/orders/{sold.json['id']}/cancel")
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")


def _count(cluster: Cluster, method: str, route: str, status: int) -> float:
    """How many such requests the API pod has counted, by its management port."""
    with PortForward(cluster, f"pod/{api_pod(cluster)['metadata']['name']}", 9000) as management:
        metrics = Client(management).request("GET", "/metrics").text
    labels = {
        f'http_request_method="{method}"',
        f'http_route="{route}"',
        f'http_response_status_code="{status}"',
    }
    samples = re.findall(r"^http_server_request_duration_seconds_count\{(.*)\} (\S+)", metrics, re.MULTILINE)
    return sum(float(value) for found, value in samples if labels <= set(found.split(",")))


def test_a_partner_who_is_not_there_is_tried_by_the_queue_worker(cluster: Cluster, client: Client) -> None:
    """Its log names the request, and the delivery says what came of it."""
    body = {"url": "https://partner.invalid/hook", "events": ["order.created"]}
    endpoint = client.request("POST", "/webhooks/endpoints", body)
    assert endpoint.status == 201
    path = f"/webhooks/endpoints/{endpoint.json['id']}"
    tried = client.request("POST", f"{path}/test")
    assert tried.status == 202

    def ended() -> dict[str, Any] | None:
        found = client.request("GET", f"/webhooks/deliveries/{tried.json['id']}").json
        return found if found["status"] == "failed" else None

    assert [one["reason"] for one in await_claim("it is tried", ended)["attempts"]] == ["connect"]
    (worker,) = cluster.items("pods", "worker")
    lines = map(json.loads, cluster.kubectl("logs", worker["metadata"]["name"]).splitlines())
    (line,) = [line for line in lines if line.get("webhook.delivery") == tried.json["id"]]
    assert line["request_id"] == tried.request_id
    refused = client.request("POST", "/webhooks/endpoints", {**body, "url": "https://10.0.0.1/hook"})
    assert (refused.status, refused.json["error"]["details"][0]["code"]) == (422, "url_refused")
    assert client.request("DELETE", path).status == 204


def test_management_is_not_behind_the_service(client: Client) -> None:
    """Metrics are for the cluster; through the Service they are an unknown path."""
    answer = client.request("GET", "/metrics")
    assert answer.status == 404
    assert answer.json["error"]["request_id"] == answer.request_id


def test_the_notes_read_the_key(cluster: Cluster, client: Client) -> None:
    """The line that NOTES prints works when pasted, and prints the key that the service admits."""
    notes = cluster.helm("get", "notes", RELEASE)
    (line,) = [line.strip() for line in notes.splitlines() if "API_KEY=$" in line]
    printed = subprocess.run(
        ["sh", "-c", f'{line}; printf %s "$API_KEY"'], capture_output=True, text=True, check=True
    ).stdout
    assert printed == client.key


def test_helm_test_passes(cluster: Cluster, installation: Installation) -> None:
    """It says what it checked, and leaves no pod behind."""
    del installation
    said = cluster.helm_test()
    say(said)
    assert "Succeeded" in said
    assert said.count("ok: ") == 3
    assert not [pod for pod in cluster.items("pods") if pod["metadata"]["name"] == f"{RELEASE}-test"]


def test_an_upgrade_keeps_credentials_and_data(cluster: Cluster, client: Client, item: str) -> None:
    """Nothing is generated twice, so nothing that did not change is restarted or migrated again."""
    parts = ("database", "redis", "api-keys")
    secrets = {part: cluster.secret(part) for part in parts}
    pods = {pod["metadata"]["uid"] for pod in cluster.items("pods")}
    cluster.upgrade("replicaCount=2")
    assert {part: cluster.secret(part) for part in parts} == secrets
    assert pods < {pod["metadata"]["uid"] for pod in cluster.items("pods")}
    await_claim("both pods are behind the Service", lambda: cluster.settled(2))
    assert client.request("GET", f"/inventory/{item}").status == 200


def test_a_closed_network_lets_through_what_is_needed_and_nothing_else(
    cluster: Cluster, client: Client, item: str
) -> None:
    """With policies on, the service works; a way that it does not need is open before, and a drop after."""
    pods = cluster.items("pods", "api")
    image, before = pods[0]["spec"]["containers"][0]["image"], {pod["metadata"]["uid"] for pod in pods}
    with stranger(cluster, image) as name:
        assert connects(cluster, name, f"{RELEASE}-postgresql", 5432)
        assert connects(cluster, pods[0]["metadata"]["name"], "kubernetes.default", 443)
        cluster.upgrade("replicaCount=2", "networkPolicy.enabled=true")
        await_claim(
            "the way out is closed", lambda: not connects(cluster, _any_pod(cluster), "kubernetes.default", 443)
        )
        await_claim("the database is closed", lambda: not connects(cluster, name, f"{RELEASE}-postgresql", 5432))
        await_claim("Redis is closed", lambda: not connects(cluster, name, f"{RELEASE}-valkey", 6379))
        assert connects(cluster, name, RELEASE, 80)
        (worker,) = [pod["metadata"]["name"] for pod in cluster.items("pods", "worker")]
        await_claim("partners are not in the cluster", lambda: not connects(cluster, worker, RELEASE, 80))
        partners = "networkPolicy.webhooks.to[0].podSelector.matchLabels.app\\.kubernetes\\.io/component=api"
        cluster.upgrade("replicaCount=2", "networkPolicy.enabled=true", partners)
        await_claim("they are where they are said to be", lambda: connects(cluster, worker, RELEASE, 80))
        nobody = "namespaceSelector.matchLabels.nobody=here"
        named = (f"networkPolicy.apiFrom[0].{nobody}", f"networkPolicy.metricsFrom[0].{nobody}")
        cluster.upgrade("replicaCount=2", "networkPolicy.enabled=true", *named)
        await_claim("the API is closed to who is not named", lambda: not connects(cluster, name, RELEASE, 80))
        assert not connects(cluster, name, pods[0]["status"]["podIP"], 9000)
    assert client.request("PATCH", f"/inventory/{item}", {"name": "Behind closed doors"}).status == 200
    assert cluster.helm_test().count("ok: ") == 3
    assert before == cluster.identities(), "policies roll no pod"
    assert restarts(pods) == restarts(cluster.items("pods", "api"))


def _any_pod(cluster: Cluster) -> str:
    return str(cluster.items("pods", "api")[0]["metadata"]["name"])


def test_changed_files_take_effect_in_the_running_pod(cluster: Cluster, client: Client, item: str) -> None:
    """As `skaffold dev` does it, with its own command: the file is copied, and the server workers are replaced."""
    image = cluster.items("pods", "api")[0]["spec"]["containers"][0]["image"]
    cluster.upgrade(f"initContainers[0].image={image}", files=[LIVE_RELOAD])
    await_claim("one pod is left", lambda: cluster.settled(1))
    name = _any_pod(cluster)
    cluster.kubectl("exec", name, "--", "python", "-c", CHANGE)
    skaffold = yaml.safe_load((CHART.parents[1] / "skaffold.yaml").read_text())
    (dev,) = [profile for profile in skaffold["profiles"] if profile["name"] == "dev"]
    (hook,) = dev["build"]["artifacts"][0]["sync"]["hooks"]["after"]
    cluster.kubectl("exec", name, "--", *hook["container"]["command"])

    def changed() -> bool:
        answer = client.request("GET", "/inventory/absent")
        return answer.status == 404 and answer.json["error"]["message"] == "Changed."

    await_claim("the new file is in use", changed)
    assert client.request("GET", f"/inventory/{item}").status == 200
    assert restarts([api_pod(cluster)]) == {name: 0}


def test_a_rollout_under_load_loses_no_request(cluster: Cluster, item: str) -> None:
    """Old pods drain before they stop, on kept and on new connections, for reads and writes."""
    image = cluster.items("pods", "api")[0]["spec"]["containers"][0]["image"]
    old = cluster.identities()

    def replaced() -> bool:
        return cluster.settled(2) and not old & cluster.identities()

    with load(cluster, image, item) as result:
        cluster.upgrade("replicaCount=2", "podAnnotations.rollout=again")
        await_claim("the old pods are gone", replaced)
    assert result.failures == []
    assert min(result.sent.values()) > 10
    assert len(result.sent) == 4


def test_a_failed_migration_is_tried_again_by_the_next_upgrade(cluster: Cluster, client: Client, item: str) -> None:
    """A failed Job would stay failed under its name, so that the next one gets another."""
    owner, url = "migration-owner", b64decode(cluster.secret("database")["url"]).decode()
    impatient = ("replicaCount=2", "migrations.timeoutSeconds=2", "migrations.backoffLimit=0")
    values = (*impatient, f"migrations.existingSecret={owner}")

    def give(address: str) -> None:
        cluster.kubectl("apply", "--filename", "-", stdin=json.dumps(secret(owner, {"url": address})))

    give("postgresql://nobody@127.0.0.1:9/none")
    cluster.upgrade(*values, wait=False)
    failed = cluster.await_job_end("Failed")
    say(f"{failed} has failed")
    give(url)
    cluster.upgrade(*values)
    assert cluster.await_job_end("Complete", other_than=failed)
    assert client.request("GET", f"/inventory/{item}").status == 200
    cluster.kubectl("delete", "secret", owner)


def test_a_rollback_returns_to_the_first_revision(cluster: Cluster, client: Client, item: str) -> None:
    """Its values, its Job and its credentials; the data stay."""
    before = client.request("GET", f"/inventory/{item}").json
    say("helm rollback")
    cluster.helm("rollback", RELEASE, "1", "--wait", "--timeout", "3m")
    await_claim("one pod is left", lambda: cluster.settled(1))
    cluster.await_job_end("Complete")
    assert cluster.key() == client.key
    assert client.request("GET", f"/inventory/{item}").json == before


def test_an_uninstall_leaves_the_volume_and_its_secret_and_a_new_install_continues(
    cluster: Cluster, client: Client, forward: PortForward, item: str
) -> None:
    """Exactly those two, as NOTES says; without the password the volume could not be opened again."""
    before = client.request("GET", f"/inventory/{item}").json
    say("helm uninstall")
    cluster.helm("uninstall", RELEASE, "--wait", "--timeout", "2m")
    await_claim("the release is gone", lambda: _left(cluster, KINDS) == _DOCUMENTED)
    cluster.install()
    returned = Client(forward, cluster.key())
    assert returned.key != client.key, "a new release has a new API key"
    assert returned.request("GET", f"/inventory/{item}").json == before


def test_with_a_volume_that_is_to_go_an_uninstall_leaves_nothing(cluster: Cluster, client: Client, item: str) -> None:
    """`whenDeleted: Delete`, also when it was decided long after the install."""
    assert client.request("GET", f"/inventory/{item}").status == 200
    cluster.upgrade("database.bundled.persistence.retentionPolicy.whenDeleted=Delete")
    say("helm uninstall")
    cluster.helm("uninstall", RELEASE, "--wait", "--timeout", "2m")
    await_claim("nothing is left", lambda: _left(cluster, KINDS) == set())


_DOCUMENTED = {("PersistentVolumeClaim", f"data-{RELEASE}-postgresql-0"), ("Secret", f"{RELEASE}-database")}
_OF_THE_NAMESPACE = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}


def _left(cluster: Cluster, kinds: str) -> set[tuple[str, str]]:
    return {(found["kind"], found["metadata"]["name"]) for found in cluster.items(kinds)} - _OF_THE_NAMESPACE
