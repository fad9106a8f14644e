"""The example `production-ha` on its own servers, in order: install, rotate, upgrade, scale, drain, fail, remove.

Roles and TLS are those of docs/install.md, the load comes from outside of the cluster, and nothing of it may be lost.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from helm import render, yaml_text

from tests.support.waiting import await_claim

from .client import Client, PortForward
from .cluster import LABELS, RELEASE, Cluster, CommandError, Manifest, is_ready, restarts, run, say
from .conftest import ITEM
from .outside import load_from_outside
from .production import DATABASE, REDIS, Platform, secret

EXAMPLE = render.EXAMPLES / "production-ha" / "values.yaml"
SKUS = [f"PRODUCTION-{number}" for number in range(10)]
SKU = SKUS[0]
# Requests/s on kept connections and as many on new ones: more than 40 % of 100m on a fast machine too, and not so much
# that pods which start have orders wait for the CPU on a slow one.
MUCH = 15
# How the example differs from one on this cluster: its image, its network and its size.
OVERRIDES = {
    "image": {
        "repository": os.environ.get("E2E_IMAGE_REPOSITORY", "inventory-api"),
        "tag": os.environ.get("E2E_IMAGE_TAG", ""),
    },
    "priorityClassName": "",
    "runAsUser": 20001,
    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
    "autoscaling": {"enabled": False},
    # Two cores carry the cluster, its pods and the load, and new pods take most of both while they start.
    "extraEnv": [
        {"name": "INVENTORY_POOL_ACQUIRE_TIMEOUT", "value": "2"},
        {"name": "INVENTORY_MAX_IN_FLIGHT", "value": "100"},
    ],
    "replicaCount": 3,
    "service": {"type": "NodePort"},
    "ingress": {"enabled": False},
    "metrics": {"serviceMonitor": {"enabled": False}},
    "otlp": {"endpoint": ""},
    "networkPolicy": {
        "apiFrom": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
        "metricsFrom": [],
        "database": {"to": [{"podSelector": {"matchLabels": {"app": DATABASE}}}]},
        "redis": {"to": [{"podSelector": {"matchLabels": {"app": REDIS}}}]},
    },
}


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The example, and what differs here."""
    overrides = tmp_path_factory.mktemp("here") / "values.yaml"
    overrides.write_text(yaml_text.dump(OVERRIDES))
    return [EXAMPLE, overrides]


@pytest.fixture(scope="module")
def client(own_cluster: Cluster, platform: Platform, values: list[Path]) -> Iterator[Client]:
    """Of the installed release, with an item."""
    own_cluster.install(files=values)
    with PortForward(own_cluster, f"service/{RELEASE}", 80) as forward:
        made = Client(forward, platform.keys["admin"])
        for sku in SKUS:
            assert made.request("PUT", f"/inventory/{sku}", {**ITEM, "quantity": 1000}).status == 201
        yield made


def pods(cluster: Cluster) -> list[Manifest]:
    return cluster.items("pods", "api")


def replicas_said(cluster: Cluster) -> int | None:
    """How many API pods the release says that there are, if it says so."""
    manifests = yaml.safe_load_all(cluster.helm("get", "manifest", RELEASE))
    (deployment,) = (each for each in manifests if (each["kind"], each["metadata"]["name"]) == ("Deployment", RELEASE))
    found: int | None = deployment["spec"].get("replicas")
    return found


def test_every_connection_is_by_tls_and_the_service_may_not_change_the_schema(
    own_cluster: Cluster, platform: Platform, client: Client
) -> None:
    """Three pods on both nodes, migrated by the owner's role, which no pod of the API knows."""
    assert client.request("PATCH", f"/inventory/{SKU}", {"name": "Renamed"}).status == 200
    assert own_cluster.settled(3)
    assert len({pod["spec"]["nodeName"] for pod in pods(own_cluster)}) > 1
    by_tls = platform.sql(
        "SELECT DISTINCT usename, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)"
        " WHERE usename LIKE 'inventory%'"
    )
    assert by_tls == "inventory|t"
    owner = platform.sql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owner == "inventory_owner"
    assert _checks(own_cluster) == {"database": "ok", "schema": "ok", "redis": "ok"}
    mounted = [volume.get("projected", {}) for pod in pods(own_cluster) for volume in pod["spec"]["volumes"]]
    assert "inventory-database-owner" not in str(mounted)


def test_a_server_of_another_authority_is_not_believed(
    own_cluster: Cluster, platform: Platform, client: Client, values: list[Path]
) -> None:
    """A pod that trusts another one never serves, and those that serve go on."""
    before = own_cluster.identities()
    platform.publish_another_authority("another-ca")
    own_cluster.upgrade("database.caSecret=another-ca", files=values, wait=False)
    await_claim("a new pod says why", lambda: "certificate verify failed" in _logs_of_new(own_cluster, before))
    assert {pod["metadata"]["uid"] for pod in pods(own_cluster) if is_ready(pod)} == before
    assert client.request("GET", f"/inventory/{SKU}").status == 200
    own_cluster.upgrade(files=values)
    await_claim("those that served are left", lambda: own_cluster.settled(3) and own_cluster.identities() == before)


def _logs_of_new(cluster: Cluster, before: set[str]) -> str:
    new = [pod["metadata"]["name"] for pod in pods(cluster) if pod["metadata"]["uid"] not in before]
    try:
        return "".join(cluster.kubectl("logs", name) for name in new)
    except CommandError:  # Its container is not there yet.
        return ""


def _checks(cluster: Cluster) -> dict[str, str]:
    """What the readiness of some pod says of each dependency."""
    with PortForward(cluster, f"pod/{pods(cluster)[0]['metadata']['name']}", 9000) as management:
        checks = Client(management).request("GET", "/system/ready").json["checks"]
    return {name: check["status"] for name, check in checks.items()}


def test_a_rotated_database_password_needs_no_restart(own_cluster: Cluster, platform: Platform, client: Client) -> None:
    """New connections are made with the new one, once the kubelet has written it."""
    before = own_cluster.identities()
    platform.rotate_password("second")
    await_claim(
        "each pod has the new password",
        lambda: all("second" in _url(own_cluster, pod["metadata"]["name"]) for pod in pods(own_cluster)),
        seconds=180,
    )
    platform.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'inventory'")
    await_claim(
        "an item is changed by a new connection",
        lambda: client.request("PATCH", f"/inventory/{SKU}", {"name": "By the second password"}).status == 200,
    )
    await_claim("all pods serve", lambda: own_cluster.settled(3))
    assert (own_cluster.identities(), set(restarts(pods(own_cluster)).values())) == (before, {0})


def _url(cluster: Cluster, pod: str) -> str:
    script = "print(open('/etc/inventory-api/credentials/database-url').read())"
    return cluster.kubectl("exec", pod, "--", "/usr/local/bin/python3", "-c", script)


def test_a_rotated_api_key_needs_no_restart(own_cluster: Cluster, platform: Platform, client: Client) -> None:
    before = own_cluster.identities()
    platform.keys = {"admin": "first-key", "next": "second-key"}
    platform.publish()
    successor = Client(client.forward, "second-key")
    await_claim("the new key is admitted", lambda: _admitted_everywhere(own_cluster, successor), seconds=180)
    assert client.request("GET", f"/inventory/{SKU}").status == 200
    platform.keys = {"next": "second-key"}
    platform.publish()
    await_claim("the old key is refused", lambda: client.request("GET", f"/inventory/{SKU}").status == 401, seconds=180)
    client.key = "second-key"
    await_claim("the new key is admitted", lambda: _admitted_everywhere(own_cluster, client))
    assert (own_cluster.identities(), set(restarts(pods(own_cluster)).values())) == (before, {0})


def _admitted_everywhere(cluster: Cluster, client: Client) -> bool:
    for pod in pods(cluster):
        with PortForward(cluster, f"pod/{pod['metadata']['name']}", 8000) as forward:
            if Client(forward, client.key).request("GET", f"/inventory/{SKU}").status != 200:
                return False
    return True


def test_upgrades_under_load_from_outside_lose_no_request(
    own_cluster: Cluster, client: Client, values: list[Path], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """As many as `--upgrades` says, each of which replaces every pod."""
    upgrades, lost, sent = pytestconfig.getoption("--upgrades"), dict[str, int](), 0
    for number in range(upgrades):
        before = own_cluster.identities()

        def replaced(before: set[str] = before) -> bool:
            return own_cluster.settled(3) and not before & own_cluster.identities()

        with load_from_outside(own_cluster, tmp_path, SKUS, client.key) as load:
            own_cluster.upgrade(f"podAnnotations.upgrade=n{number}", files=values)
            await_claim("every pod is another one", replaced)
        lost |= load.lost
        sent += len(load.outcomes)
    assert lost == {}
    assert sent > 100 * upgrades


def test_an_upgrade_that_was_interrupted_is_rolled_back_and_made_again(
    own_cluster: Cluster, client: Client, values: list[Path], tmp_path: Path
) -> None:
    """As docs/install.md says; and what it leaves meanwhile serves."""
    with load_from_outside(own_cluster, tmp_path, SKUS, client.key) as load:
        command = own_cluster.deployment("upgrade", ["podAnnotations.interrupted=yes"], values, wait=True)
        process = subprocess.Popen(command)
        await_claim("it has begun", lambda: "pending-upgrade" in own_cluster.helm("status", RELEASE))
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises(CommandError, match="another operation"):
            own_cluster.upgrade(files=values)
        say("helm rollback")
        own_cluster.helm("rollback", RELEASE, "--wait", "--timeout", "3m")
        own_cluster.upgrade("podAnnotations.interrupted=no", files=values)
        await_claim("three pods serve", lambda: own_cluster.settled(3))
    assert load.lost == {}


def _await_settled(cluster: Cluster, replicas: int) -> None:
    await_claim(f"{replicas} serve", lambda: cluster.settled(replicas))


def test_scaling_in_and_out_under_load_loses_no_request(
    own_cluster: Cluster, client: Client, values: list[Path], tmp_path: Path
) -> None:
    with load_from_outside(own_cluster, tmp_path, SKUS, client.key) as load:
        for replicas in (1, 3):
            own_cluster.upgrade(f"replicaCount={replicas}", files=values)
            _await_settled(own_cluster, replicas)
    assert load.lost == {}


def test_a_drained_node_takes_one_pod_at_a_time_and_loses_no_request(
    own_cluster: Cluster, client: Client, tmp_path: Path
) -> None:
    """Only where the cluster is the tests' own: E2E_MAY_DRAIN=1."""
    if os.environ.get("E2E_MAY_DRAIN") != "1":
        pytest.skip("drains a node: E2E_MAY_DRAIN=1 says that it may")
    node = pods(own_cluster)[0]["spec"]["nodeName"]
    ours = f"--pod-selector={LABELS}api"
    with load_from_outside(own_cluster, tmp_path, SKUS, client.key) as load:
        say(f"kubectl drain {node}")
        try:
            run("kubectl", "drain", node, ours, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")
            await_claim("three serve elsewhere", lambda: own_cluster.settled(3))
            assert node not in {pod["spec"]["nodeName"] for pod in pods(own_cluster)}
        finally:
            run("kubectl", "uncordon", node)
    assert load.lost == {}


def test_the_autoscaler_adds_pods_under_load_and_takes_them_away_again(
    own_cluster: Cluster, client: Client, values: list[Path], tmp_path: Path
) -> None:
    """Of CPU, by the metrics server; scaling in loses nothing either."""
    scaled = ("autoscaling.enabled=true", "autoscaling.minReplicas=1", "autoscaling.maxReplicas=3")
    eager = (
        "autoscaling.targetCPUUtilizationPercentage=40",
        "autoscaling.behavior.scaleDown.stabilizationWindowSeconds=0",
    )
    try:
        run("kubectl", "top", "nodes")
    except CommandError as error:
        pytest.skip(f"no metrics server: {error}")
    with load_from_outside(own_cluster, tmp_path, SKUS, client.key) as load:
        own_cluster.upgrade(*scaled, files=values)
        deployment = json.loads(own_cluster.kubectl("get", "deployment", RELEASE, "--output", "json"))
        assert deployment["spec"]["replicas"] == 3, "an autoscaler begins with what there is"
    assert load.lost == {}
    own_cluster.upgrade(*scaled, *eager, files=values)
    await_claim("one serves", lambda: own_cluster.settled(1), seconds=240)
    with load_from_outside(own_cluster, tmp_path, SKUS, client.key, rate=MUCH) as load:
        await_claim("there are more", lambda: len(own_cluster.serving()) > 1, seconds=240)
        own_cluster.upgrade(*scaled, *eager, files=values)
    assert load.lost == {}
    if own_cluster.helm("version", "--short").startswith("v4"):
        # Helm 3 takes no part in who owns a field, and would remove one that it has set before.
        assert replicas_said(own_cluster) is None, "a number that changes meanwhile fails an upgrade"
    with load_from_outside(own_cluster, tmp_path, SKUS, client.key, rate=1) as load:
        await_claim("one is left", lambda: own_cluster.settled(1), seconds=240)
    assert load.lost == {}


def test_a_migration_before_everything_that_fails_stops_the_upgrade(
    own_cluster: Cluster, platform: Platform, client: Client, values: list[Path]
) -> None:
    """By Helm's own error, with every pod as it was; the next one goes through."""
    before = own_cluster.identities()
    platform.apply(secret("wrong-owner", {"url": platform.url("nobody", DATABASE, 5432, "wrong")}))
    hook = ("migrations.mode=hook", "autoscaling.enabled=true", "autoscaling.maxReplicas=3")
    impatient = ("migrations.existingSecret=wrong-owner", "migrations.timeoutSeconds=2", "migrations.backoffLimit=0")
    with pytest.raises(CommandError, match=r"hooks? failed|BackoffLimitExceeded"):
        own_cluster.upgrade(*hook, *impatient, "podAnnotations.wrong=yes", files=values)
    said = own_cluster.kubectl("logs", f"--selector={LABELS}migration", "--tail=-1")
    assert "password authentication failed" in said
    assert own_cluster.identities() == before
    own_cluster.upgrade(*hook, files=values)
    assert client.request("GET", f"/inventory/{SKU}").status == 200


def test_with_hooks_the_schema_comes_first_and_an_uninstall_leaves_the_platforms_own(
    own_cluster: Cluster, platform: Platform, client: Client, values: list[Path]
) -> None:
    before = client.request("GET", f"/inventory/{SKU}").json
    own = {secret["metadata"]["name"] for secret in own_cluster.items("secrets") if "helm" not in secret["type"]}
    # The autoscaler stays: Helm 4 leaves the number of pods to whoever set it last.
    own_cluster.upgrade("migrations.mode=hook", "autoscaling.enabled=true", "autoscaling.maxReplicas=3", files=values)
    assert client.request("GET", f"/inventory/{SKU}").json == before
    say("helm uninstall")
    own_cluster.helm("uninstall", RELEASE, "--wait", "--timeout", "2m")
    kinds = "deployments,jobs,services,configmaps,secrets,serviceaccounts,networkpolicies,poddisruptionbudgets"

    def left() -> set[str]:
        return {found["metadata"]["name"] for found in own_cluster.items(kinds)} - {"kube-root-ca.crt", "default"}

    await_claim("only what is the platform's is left", lambda: left() == own | {DATABASE, REDIS})
    own_cluster.install("migrations.mode=hook", files=values)
    assert client.request("GET", f"/inventory/{SKU}").json == before
