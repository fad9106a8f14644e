"""What a platform team has before it installs: a database with two roles, a Redis and keys, all of it by TLS.

Both servers are pods for the test; a release knows them by Secrets alone, as it would know managed ones.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trustme

from .cluster import Cluster, Manifest

DATABASE, REDIS = "database", "redis"
POSTGRES_IMAGE, VALKEY_IMAGE = "postgres:18", "valkey/valkey:9"
REDIS_PASSWORD = "of-redis"
ACCOUNT = 999
INSTALL = Path(__file__).parents[2] / "docs" / "install.md"
# Nobody comes in without TLS, but the superuser from within the pod.
HBA = "local all all trust\nhostssl all all all scram-sha-256\n"


class Platform:
    """The servers and Secrets of a namespace. `passwords` and `keys` are what they are now."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._authority = trustme.CA()
        self.passwords = {"inventory": "first", "inventory_owner": "owner"}
        self.keys = {"admin": "first-key"}

    def start(self) -> None:
        """Await both servers."""
        for name in (DATABASE, REDIS):
            self.certify(name)
        (grants,) = re.findall(r"```sql\n(GRANT USAGE.*?)```", INSTALL.read_text(), re.DOTALL)
        roles = "".join(f"CREATE ROLE {role} LOGIN PASSWORD '{word}';\n" for role, word in self.passwords.items())
        self.apply(config_map("database", {"roles.sql": roles + grants, "pg_hba.conf": HBA}))
        self.publish()
        self.apply(*server(DATABASE, 5432, POSTGRES_IMAGE, _POSTGRES, {"config": {"configMap": {"name": DATABASE}}}))
        self.apply(*server(REDIS, 6379, VALKEY_IMAGE, _VALKEY, {}))
        for name in (DATABASE, REDIS):
            self._cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")

    def publish(self) -> None:
        """Write the Secrets as the passwords and keys are now."""
        urls = {role: self.url(role, DATABASE, 5432) for role in self.passwords}
        scopes = ["inventory:read", "inventory:write", "audit:read"]
        keys = [
            {"id": name, "sha256": hashlib.sha256(key.encode()).hexdigest(), "scopes": scopes}
            for name, key in self.keys.items()
        ]
        authority = {"ca.crt": self._authority.cert_pem.bytes().decode()}
        redis_url = f"rediss://:{REDIS_PASSWORD}@{REDIS}:6379/0"
        self.apply(
            secret("inventory-database", {"url": urls["inventory"]}),
            secret("inventory-database-owner", {"url": urls["inventory_owner"]}),
            secret("inventory-database-ca", authority),
            secret("inventory-redis", {"url": redis_url}),
            secret("inventory-redis-ca", authority),
            secret("inventory-keys", {"keys.json": json.dumps({"keys": keys})}),
        )

    def authority(self, name: str) -> Manifest:
        """The Secret of the one that has signed all of these servers."""
        return secret(name, {"ca.crt": self._authority.cert_pem.bytes().decode()})

    def publish_another_authority(self, name: str) -> None:
        """A Secret as that of the database's authority, of one that has signed nothing here."""
        self.apply(secret(name, {"ca.crt": trustme.CA().cert_pem.bytes().decode()}))

    def url(self, role: str, host: str, port: int, word: str = "") -> str:
        """Of the database, by way of that host; `database.caSecret` has it verified."""
        return f"postgresql://{role}:{word or self.passwords[role]}@{host}:{port}/inventory"

    def rotate_password(self, word: str) -> None:
        """Of the service's role, in the database and in its Secret."""
        self.passwords["inventory"] = word
        self.sql(f"ALTER ROLE inventory PASSWORD '{word}'")
        self.publish()

    def sql(self, statement: str) -> str:
        """What it answers, unaligned, as the superuser."""
        command = ["psql", "-U", "postgres", "-d", "inventory", "-Atc", statement]
        return self._cluster.kubectl("exec", f"deployment/{DATABASE}", "--", *command).strip()

    def certify(self, name: str) -> None:
        """Make the Secret of a server's certificate, by the one authority."""
        made = self._authority.issue_cert(name)
        certificate = "".join(part.bytes().decode() for part in made.cert_chain_pems)
        pair = {"tls.crt": certificate, "tls.key": made.private_key_pem.bytes().decode()}
        self.apply(secret(f"{name}-tls", pair))

    def apply(self, *objects: Manifest) -> None:
        self._cluster.kubectl("apply", "--filename", "-", stdin="\n---\n".join(map(json.dumps, objects)))


_POSTGRES: dict[str, Any] = {
    "args": [
        "-c", "ssl=on", "-c", "ssl_cert_file=/tls/tls.crt", "-c", "ssl_key_file=/tls/tls.key",
        "-c", "hba_file=/config/pg_hba.conf", "-c", "max_connections=200",
        # It is killed, and its machine is not: a slow disk would be told as a fault of rollouts.
        "-c", "fsync=off",
    ],
    "env": [
        {"name": "POSTGRES_DB", "value": "inventory"},
        {"name": "POSTGRES_PASSWORD", "value": "of-nobody"},
        {"name": "PGDATA", "value": "/data/pgdata"},
    ],
    "volumeMounts": [
        {"name": "config", "mountPath": "/config"},
        {"name": "config", "mountPath": "/docker-entrypoint-initdb.d/roles.sql", "subPath": "roles.sql"},
        {"name": "run", "mountPath": "/var/run/postgresql"},
    ],
    "readinessProbe": {"exec": {"command": ["pg_isready", "-U", "postgres", "-d", "inventory", "-h", "127.0.0.1"]}},
}  # fmt: skip
_VALKEY: dict[str, Any] = {
    "command": [
        "valkey-server", "--port", "0", "--tls-port", "6379", "--tls-cert-file", "/tls/tls.crt",
        "--tls-key-file", "/tls/tls.key", "--tls-auth-clients", "no", "--save", "",
        "--requirepass", REDIS_PASSWORD,
    ],
    "readinessProbe": {"tcpSocket": {"port": 6379}},
}  # fmt: skip


def server(
    name: str, port: int, image: str, container: Mapping[str, Any], volumes: Mapping[str, Any]
) -> list[Manifest]:
    """A Deployment and its Service. The data end with the pod."""
    labels = {"app": name}
    mounts = [{"name": "tls", "mountPath": "/tls"}, {"name": "data", "mountPath": "/data"}]
    mounted = {"tls": {"secret": {"secretName": f"{name}-tls", "defaultMode": 0o440}}, "data": {"emptyDir": {}}}
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": ACCOUNT,
            "fsGroup": ACCOUNT,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                **container,
                "name": name,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                # Else the pods that begin beside it take all of a busy machine, which would be told as lost requests.
                "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [*mounts, *container.get("volumeMounts", [])],
            }
        ],
        "volumes": [
            {"name": volume, **source} for volume, source in {**mounted, "run": {"emptyDir": {}}, **volumes}.items()
        ],
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": labels},
                "strategy": {"type": "Recreate"},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": port}]},
        },
    ]


def secret(name: str, values: Mapping[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}


def config_map(name: str, values: Mapping[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(values)}
