"""KEDA itself, where it runs: queue workers follow the jobs that are due, and who is taken away loses none."""

import pytest

from tests.support.waiting import await_claim

from .cluster import RELEASE, Cluster, CommandError, is_ready, run, say

FEWEST, MOST = 1, 3
JOBS = 10_000
VALUES = [
    "worker.keda.enabled=true",
    f"worker.keda.minReplicas={FEWEST}",
    f"worker.keda.maxReplicas={MOST}",
    "worker.keda.jobsPerReplica=100",
    "worker.keda.pollingIntervalSeconds=2",
    "worker.keda.behavior.scaleDown.stabilizationWindowSeconds=5",
    "drain.timeout=5",
    "database.maxConnections=200",
    "networkPolicy.enabled=true",
    "networkPolicy.kedaFrom[0].namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name=keda",
]
EVENTS = """
INSERT INTO pgqueuer (entrypoint, priority, payload, headers, status)
SELECT 'event', 0, convert_to(event, 'UTF8'), '{}', 'queued'
FROM generate_series(1, %d) AS n,
     format('[{"id": "%%s", "type": "order.created", "timestamp": "2026-03-01T08:00:00Z", "data": {}}]',
            gen_random_uuid()) AS event
"""
LONG = "INSERT INTO pgqueuer (entrypoint, priority, headers, status) VALUES ('ledger_verify', 0, '{}', 'queued')"
# Who reads the levels waits for `held`: `ledger_verify` alone, of what a queue worker does here. A sequence, as that is
# read as it is by a statement that has begun before.
HOLD = """
INSERT INTO item (sku, name, warehouse_location, is_discontinued, attributes) VALUES ('A-1', 'A', 'MAIN', false, '{}');
INSERT INTO stock_level (sku, location, on_hand) VALUES ('A-1', 'MAIN', 0);
CREATE SEQUENCE held;
CREATE FUNCTION let_go() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    WHILE (SELECT last_value FROM held) = 1 LOOP PERFORM pg_sleep(0.2); END LOOP;
    RETURN true;
END
$$;
ALTER TABLE stock_level RENAME TO level;
CREATE VIEW stock_level AS SELECT * FROM level WHERE let_go();
"""
LET_GO = "SELECT setval('held', 2)"
BUSY = "SELECT host(client_addr) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
LEFT = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'event'"
LONG_LEFT = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'ledger_verify'"
DONE = """
SELECT count(DISTINCT job_id) FROM pgqueuer_log WHERE entrypoint = 'event' AND status = 'successful'
"""
LONG_DONE = "SELECT count(*) FROM pgqueuer_log WHERE entrypoint = 'ledger_verify' AND status = 'successful'"
DEAD = "SELECT count(*) FROM pgqueuer WHERE status = 'failed'"


@pytest.fixture(scope="module", autouse=True)
def _keda() -> None:
    try:
        run("kubectl", "--namespace", "keda", "rollout", "status", "deployment/keda-operator", "--timeout=60s")
    except CommandError:
        pytest.skip("KEDA does not run in this cluster")


def test_queue_workers_follow_the_jobs_and_one_that_is_taken_away_in_the_middle_of_one_loses_none(
    own_cluster: Cluster,
) -> None:
    own_cluster.install(*VALUES)
    await_claim("there is one worker", lambda: workers(own_cluster) == FEWEST)
    sql(own_cluster, HOLD)
    sql(own_cluster, LONG)
    first = await_claim("a worker is in the middle of the long job", lambda: sql(own_cluster, BUSY))
    say(f"the long job is being done by {first}")
    sql(own_cluster, EVENTS % JOBS)
    await_claim("there are as many workers as there may be", lambda: workers(own_cluster) == MOST, 240)
    say(f"{MOST} workers; {sql(own_cluster, LEFT)} jobs wait")
    # The ReplicaSet takes the one of the least cost first.
    busy = pod_of(own_cluster, first)
    own_cluster.kubectl("annotate", "pod", busy, "controller.kubernetes.io/pod-deletion-cost=-100")
    await_claim("every event is told", lambda: sql(own_cluster, LEFT) == "0", 600)
    say("every event is told")
    await_claim("the worker of the long job is taken away", lambda: busy not in names(own_cluster), 240)
    second = await_claim("another one has taken it over", lambda: other(sql(own_cluster, BUSY), first))
    say(f"the long job is being done by {second}")
    await_claim("there are as few workers as there may be", lambda: workers(own_cluster) == FEWEST, 240)
    sql(own_cluster, LET_GO)
    await_claim("the long job is done", lambda: sql(own_cluster, LONG_LEFT) == "0")
    assert (sql(own_cluster, DONE), sql(own_cluster, LONG_DONE), sql(own_cluster, DEAD)) == (str(JOBS), "1", "0")


def workers(cluster: Cluster) -> int:
    """Queue workers that are ready, where no others are there."""
    pods = cluster.items("pods", "worker")
    return len(pods) if all(map(is_ready, pods)) else 0


def names(cluster: Cluster) -> set[str]:
    return {pod["metadata"]["name"] for pod in cluster.items("pods", "worker")}


def pod_of(cluster: Cluster, address: str) -> str:
    (name,) = (
        pod["metadata"]["name"] for pod in cluster.items("pods", "worker") if pod["status"].get("podIP") == address
    )
    return str(name)


def other(found: str, than: str) -> str:
    """An address that is another one. The server goes on for a client that has gone, and does not know it."""
    return next((address for address in found.split() if address != than), "")


def sql(cluster: Cluster, statement: str) -> str:
    """What the bundled database answers, unaligned."""
    command = ["psql", "-U", "inventory", "-d", "inventory", "-v", "ON_ERROR_STOP=1", "-Atc", statement]
    return cluster.kubectl("exec", f"{RELEASE}-postgresql-0", "--", *command).strip()
