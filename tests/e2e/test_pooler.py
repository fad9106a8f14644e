"""The example `pgbouncer`, as its comments say: many connections of the service are few of PostgreSQL."""

import os
import re
from pathlib import Path

import pytest
from helm import render, yaml_text

from inventory_api.database.pool import SERVER_SETTINGS
from tests.support.waiting import await_claim

from .client import Client, PortForward
from .cluster import RELEASE, Cluster, say
from .conftest import ITEM
from .outside import load_from_outside
from .production import DATABASE, REDIS, Platform, config_map, secret, server

EXAMPLE = render.EXAMPLES / "pgbouncer" / "values.yaml"
SKUS = [f"POOLED-{number}" for number in range(10)]
POOLER, PORT, POOL_SIZE = "pgbouncer", 6432, 5
SETTINGS = "SELECT name, setting || unit FROM pg_settings WHERE name LIKE '%_timeout'"
TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
# Its own part; the rest is what the example says.
CONFIGURATION = f"""
[databases]
inventory = host={DATABASE} port=5432 dbname=inventory
[pgbouncer]
listen_addr = 0.0.0.0
listen_port = {PORT}
auth_type = scram-sha-256
auth_file = /etc/pooler/users.txt
client_tls_sslmode = require
client_tls_cert_file = /tls/tls.crt
client_tls_key_file = /tls/tls.key
server_tls_sslmode = verify-full
server_tls_ca_file = /ca/ca.crt
max_client_conn = 1000
default_pool_size = {POOL_SIZE}
pool_mode = transaction
"""
CONTAINER = {
    "volumeMounts": [{"name": "configuration", "mountPath": "/etc/pooler"}, {"name": "ca", "mountPath": "/ca"}],
    "readinessProbe": {"tcpSocket": {"port": PORT}},
}


@pytest.fixture(scope="module")
def image() -> str:
    found = os.environ.get("E2E_PGBOUNCER_IMAGE")
    if found is None:
        pytest.skip("E2E_PGBOUNCER_IMAGE names no image of tests/e2e/pgbouncer")
    return found


@pytest.fixture(scope="module")
def pooler(image: str, own_cluster: Cluster, platform: Platform) -> None:
    """PgBouncer before the database."""
    told = [line.removeprefix("#").strip() for line in EXAMPLE.read_text().splitlines() if line.startswith("#   ")]
    for statement in [line for line in told if line.startswith("ALTER ROLE")]:
        platform.sql(statement)
    settings = "\n".join(line for line in told if re.match(r"\w+ = ", line))
    users = "".join(f'"{role}" "{word}"\n' for role, word in platform.passwords.items())
    volumes = {
        "configuration": {"configMap": {"name": "pooler"}},
        "ca": {"secret": {"secretName": "inventory-database-ca"}},
    }
    platform.certify(POOLER)
    platform.apply(
        config_map("pooler", {"pgbouncer.ini": f"{CONFIGURATION}{settings}\n", "users.txt": users}),
        secret("inventory-pooled", {"url": platform.url("inventory", POOLER, PORT)}),
        *server(POOLER, PORT, image, CONTAINER, volumes),
    )
    own_cluster.kubectl("rollout", "status", f"deployment/{POOLER}", "--timeout=60s")
    say("PgBouncer runs")


def test_behind_a_pooler_nothing_is_lost_and_few_connections_are_postgresqls(
    own_cluster: Cluster, platform: Platform, pooler: None, tmp_path: Path
) -> None:
    """Also during a rollout; and the time-outs are those of the service, though it cannot ask for them."""
    overrides = tmp_path / "values.yaml"
    overrides.write_text(yaml_text.dump(_OVERRIDES))
    files = [EXAMPLE, overrides]
    own_cluster.install(files=files)
    with PortForward(own_cluster, f"service/{RELEASE}", 80) as forward:
        client = Client(forward, platform.keys["admin"])
        for sku in SKUS:
            assert client.request("PUT", f"/inventory/{sku}", {**ITEM, "quantity": 100}).status == 201
    before = own_cluster.identities()
    with load_from_outside(own_cluster, tmp_path, SKUS, platform.keys["admin"]) as load:
        own_cluster.upgrade("podAnnotations.upgrade=again", files=files, wait=False)
        used = set[int]()

        def replaced() -> bool:
            used.add(int(platform.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'inventory'")))
            return own_cluster.settled(2) and not before & own_cluster.identities()

        await_claim("both pods are others", replaced)
    assert load.lost == {}
    assert len(load.outcomes) > len(SKUS)
    assert 1 <= max(used) <= POOL_SIZE
    url = f"postgresql://inventory:{platform.passwords['inventory']}@{POOLER}:{PORT}/inventory?sslmode=require"
    asked = own_cluster.kubectl("exec", f"deployment/{DATABASE}", "--", "psql", url, "-Atc", SETTINGS)
    found = dict(line.split("|") for line in asked.splitlines())
    assert {name: found[name] for name in TIMEOUTS} == {name: f"{SERVER_SETTINGS[name]}ms" for name in TIMEOUTS}


_OVERRIDES = {
    "database": {"existingSecret": "inventory-pooled", "caSecret": "inventory-database-ca"},
    "redis": {"existingSecret": "inventory-redis", "caSecret": "inventory-redis-ca", "bundled": {"enabled": False}},
    "apiKeys": {"existingSecret": "inventory-keys"},
    "replicaCount": 2,
    "networkPolicy": {
        "migrations": {"to": [{"podSelector": {"matchLabels": {"app": DATABASE}}}]},
        "redis": {"to": [{"podSelector": {"matchLabels": {"app": REDIS}}}]},
    },
    "service": {"type": "NodePort"},
    "extraEnv": [{"name": "INVENTORY_POOL_ACQUIRE_TIMEOUT", "value": "2"}],
}
