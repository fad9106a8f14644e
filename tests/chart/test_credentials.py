"""Credentials: generated ones fit together, own ones are used, all are mounted as files."""

import hashlib
import json
import re
from typing import Any

from .rendering import EXTERNAL, FULLNAME, Helm, Manifest, Rendering, credentials

SCOPES = {
    *("inventory:read", "inventory:write", "orders:read", "orders:write", "attachments:read", "attachments:write"),
    *("audit:read", "webhooks:admin", "jobs:admin"),
}


def secret(rendering: Rendering, part: str) -> dict[str, str]:
    """What a generated Secret holds."""
    data: dict[str, str] = rendering.one("Secret", f"{FULLNAME}-{part}")["stringData"]
    return data


def projected(pod: Manifest) -> dict[str, tuple[str, str]]:
    """Path to (Secret, key) of each file in the volume `credentials`."""
    sources = [source["secret"] for source in credentials(pod)]
    return {item["path"]: (source["name"], item["key"]) for source in sources for item in source["items"]}


def checksum(manifest: Manifest) -> str:
    """The annotation that rolls the pods."""
    return str(manifest["spec"]["template"]["metadata"]["annotations"]["checksum/credentials"])


def digest(data: Any) -> str:
    """SHA-256 of the JSON text, as the templates make it."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_the_generated_key_is_the_one_that_is_admitted(helm: Helm) -> None:
    """The keys file holds the SHA-256 of the clear key beside it, with every scope."""
    made = secret(helm.template(), "api-keys")
    (key,) = json.loads(made["keys.json"])["keys"]
    assert key["id"] == "admin"
    assert key["sha256"] == hashlib.sha256(made["admin"].encode()).hexdigest()
    assert set(key["scopes"]) == SCOPES


def test_generated_passwords_are_long_and_safe_in_urls(helm: Helm) -> None:
    """40 letters and digits need no quoting in a URL or a configuration file."""
    rendering = helm.template()
    database, redis = secret(rendering, "database"), secret(rendering, "redis")
    passwords = [database["password"], redis["password"], secret(rendering, "api-keys")["admin"]]
    assert all(re.fullmatch(r"[A-Za-z0-9]{40}", password) for password in passwords)
    assert len(set(passwords)) == 3


def test_url_and_server_get_the_same_password(helm: Helm) -> None:
    """Random as they are, each value is made once for a rendering."""
    rendering = helm.template()
    database, redis = secret(rendering, "database"), secret(rendering, "redis")
    assert database["url"] == f"postgresql://inventory:{database['password']}@{FULLNAME}-postgresql:5432/inventory"
    assert redis["url"] == f"redis://:{redis['password']}@{FULLNAME}-valkey:6379/0"
    assert redis["valkey.conf"] == f"requirepass {redis['password']}\n"


def test_pods_roll_when_what_they_mount_changes(helm: Helm) -> None:
    """The checksums are those of the Secrets in the same rendering, so other content is another annotation."""
    rendering = helm.template()
    made = {part: secret(rendering, name) for part, name in _NAMES.items()}
    assert checksum(rendering.api()) == digest(made)
    assert checksum(rendering.one("Deployment", f"{FULLNAME}-valkey")) == digest(made["redis"])


def test_pods_do_not_roll_for_secrets_of_others(helm: Helm) -> None:
    """A checksum cannot see an existingSecret: it is constant then, and rotation is by the mounted file."""
    assert checksum(helm.template(EXTERNAL).api()) == checksum(helm.template(EXTERNAL).api()) == digest({})


def test_configuration_is_in_the_pod_template(helm: Helm) -> None:
    """A changed setting changes the template, so that the pods roll; there is no ConfigMap to go stale."""
    before, after = (helm.template({**EXTERNAL, "logLevel": level}) for level in ("INFO", "DEBUG"))
    assert before.api()["spec"]["template"] != after.api()["spec"]["template"]
    assert not before.of("ConfigMap")


def test_no_secret_is_made_for_what_exists(helm: Helm) -> None:
    """Each existingSecret replaces exactly its own generated one."""
    for part, name in _NAMES.items():
        made = {item["metadata"]["name"] for item in helm.template({part: {"existingSecret": "mine"}}).of("Secret")}
        assert made == {f"{FULLNAME}-{other}" for other in _NAMES.values() if other != name}
    assert not helm.template(EXTERNAL).of("Secret")


def test_own_secrets_are_mounted_as_files(helm: Helm) -> None:
    """The service reads the documented keys of one's own Secrets; the clear key is not among them."""
    rendering = helm.template(EXTERNAL)
    assert projected(rendering.api()["spec"]["template"]["spec"]) == {
        "database-url": ("my-database", "url"),
        "redis-url": ("my-redis", "url"),
        "keys.json": ("my-keys", "keys.json"),
    }
    assert projected(rendering.migration()["spec"]["template"]["spec"]) == {"database-url": ("my-database", "url")}


def test_generated_secrets_are_mounted_under_the_same_paths(helm: Helm) -> None:
    """Where a credential comes from makes no difference to the service."""
    assert projected(helm.template().api()["spec"]["template"]["spec"]) == {
        "database-url": (f"{FULLNAME}-database", "url"),
        "redis-url": (f"{FULLNAME}-redis", "url"),
        "keys.json": (f"{FULLNAME}-api-keys", "keys.json"),
    }


def test_every_file_that_the_service_is_told_of_is_mounted(helm: Helm) -> None:
    """Paths in the environment and in the volume agree; whole volumes, since a subPath would miss a rotation."""
    rendering = helm.template({"database": {"existingSecret": "x", "directUrl": True}})
    for workload in (rendering.api(), rendering.migration()):
        pod = workload["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        told = {item["value"] for item in container["env"] if item["name"].endswith("_FILE")}
        assert told == {f"/etc/inventory-api/credentials/{path}" for path in projected(pod)}
        assert not [mount for mount in container["volumeMounts"] if "subPath" in mount]


def test_only_the_migration_has_the_way_past_a_pooler(helm: Helm) -> None:
    """It may lead to a role that owns the schema."""
    rendering = helm.template({"database": {"existingSecret": "x", "directUrl": True}})
    assert "direct" not in str(rendering.api())
    assert projected(rendering.migration()["spec"]["template"]["spec"])["database-direct-url"] == ("x", "direct-url")


def test_no_credential_is_in_the_environment(helm: Helm) -> None:
    """An environment is read by `kubectl describe`, by child processes and by crash reports.

    Those of an S3 are the exception (test_storage): AWS's names are variables.
    """
    for _, pod in helm.template().pods():
        for container in pod["containers"]:
            assert "envFrom" not in container
            assert not [item for item in container.get("env", []) if "secretKeyRef" in item.get("valueFrom", {})]
    rendering = helm.template()
    made = [value for found in rendering.of("Secret") for value in found["stringData"].values()]
    assert made
    others = str([found for found in rendering.objects if found["kind"] != "Secret"])
    assert [value for value in made if value.strip() in others] == []


def test_the_address_may_have_another_name_in_its_secret(helm: Helm) -> None:
    """As CloudNativePG makes it; the API, its queue worker and the migration read it under the one name."""
    rendering = helm.template({"database": {"existingSecret": "app", "urlKey": "uri", "bundled": {"enabled": False}}})
    pods = [pod for _, pod in rendering.pods() if "database-url" in str(pod)]
    assert len(pods) == 3
    assert {projected(pod)["database-url"] for pod in pods} == {("app", "uri")}


def test_bundled_servers_use_own_secrets_too(helm: Helm) -> None:
    """For GitOps, where nothing can be generated: a trial needs no external server."""
    values = {part: {"existingSecret": "mine"} for part in _NAMES}
    rendering = helm.template({**values, "credentials": {"generate": False}})
    workloads = (
        rendering.one("StatefulSet", f"{FULLNAME}-postgresql"),
        rendering.one("Deployment", f"{FULLNAME}-valkey"),
    )
    mounted = [
        (volume["secret"]["secretName"], volume["secret"]["items"][0]["key"])
        for workload in workloads
        for volume in workload["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    ]
    assert mounted == [("mine", "password"), ("mine", "valkey.conf")]


_NAMES = {"database": "database", "redis": "redis", "apiKeys": "api-keys"}
