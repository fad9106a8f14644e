"""With a real collector, Jaeger and Loki, configured as `make observe` and the docs have them."""

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from helm import yaml_text
from tests.support.process import REPOSITORY, Running, free_ports
from tests.support.shop import shop, trace
from tests.support.stores import log_line, missing, span, stores
from tests.support.waiting import eventually, wait_until
from uuid_utils.compat import uuid7

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=f"NOT RUN, as not on PATH: {', '.join(missing())}"),
    pytest.mark.timeout(300),
]
COLLECTOR = REPOSITORY / "observability" / "collector"
ERROR = 2


async def test_one_id_joins_six_places_by_a_real_collector_with_jaeger_and_loki(
    database_url: str, keys_file: Path, tmp_path: Path
) -> None:
    request_id = str(uuid7())
    environment = {"KEPT_PERCENTAGE": "100", "DECISION_WAIT": "1s"}
    (tmp_path / "stores").mkdir()
    with stores(tmp_path / "stores", tmp_path / "*" / "stdout", **environment) as opened:
        async with shop(tmp_path, database_url, keys_file, OTEL_EXPORTER_OTLP_ENDPOINT=opened.collector) as selling:
            await selling.order(request_id)
            await selling.delivered()
            options = ("--loki", opened.loki, "--jaeger", opened.jaeger)

            async def whole() -> str:
                done = await selling.trace(request_id, *options, "--json")
                found = json.loads(done.stdout)
                spans = {one["name"] for one in found["spans"]["rows"]}
                is_whole = {"POST /orders", "job event", "webhook deliver"} <= spans and len(found["logs"]["rows"]) >= 3
                return str(done.stdout) if is_whole and done.returncode == 0 else ""

            found = json.loads(await eventually(whole, 90))
            page = await selling.trace(request_id, *options)
            alone = await trace(request_id, "--jaeger", opened.jaeger)
    (trace_id,) = found["trace_ids"]
    places = ("logs", "spans", "audit", "movements", "jobs", "deliveries")
    assert {row["trace_id"] for name in places for row in found[name]["rows"]} == {trace_id}
    assert [len(found[name]["rows"]) for name in places[2:]] == [1, 1, 1, 1]
    assert found["deliveries"]["rows"][0]["attempts"][0]["status_code"] == 204
    assert page.returncode == 0
    # By the tag of a span, where neither a log nor a database is asked.
    assert f"trace    {trace_id}\n" in alone.stdout


@pytest.mark.parametrize(("where", "needed"), [("local", "LOG_FILES"), ("kubernetes", "NODE_NAME")])
def test_the_collector_takes_its_configuration(where: str, needed: str) -> None:
    files = [f"--config={COLLECTOR / name}.yaml" for name in ("collector", where)]
    environment = {**os.environ, needed: "none"}
    done = subprocess.run(["otelcol", "validate", *files], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_collector_reads_what_a_node_keeps_of_pods(tmp_path: Path) -> None:
    """Without a cluster to ask about them: what the files' names and lines say themselves."""
    pod = tmp_path / "shop_stock-abc_12345678-1234-1234-1234-123456789abc" / "api"
    pod.mkdir(parents=True)
    line, other = log_line("order-1", "it", trace_id="a" * 32, span_id="b" * 16), "no JSON\n"
    (pod / "0.log").write_text("".join(f"2026-03-02T09:30:00.123456789Z stdout F {one}" for one in (line, other)))
    pipeline = {"processors": ["redaction"], "exporters": ["file"]}
    here = {
        "receivers": {"file_log": {"start_at": "beginning"}},
        "exporters": {"file": {"path": str(tmp_path / "out"), "flush_interval": "100ms"}},
        "service": {"pipelines": {"traces": pipeline, "logs": pipeline}},
    }
    (tmp_path / "here.yaml").write_text(yaml_text.dump(here))
    listens = {
        name: f"127.0.0.1:{port}" for name, port in zip(("OTLP_LISTEN", "HEALTH_LISTEN"), free_ports(2), strict=True)
    }
    files = [COLLECTOR / "collector.yaml", COLLECTOR / "kubernetes.yaml", tmp_path / "here.yaml"]
    environment = {**os.environ, "NODE_NAME": "node-1", "LOG_FILES": f"{tmp_path}/*_*stock*_*/*/*.log", **listens}
    running = Running(["otelcol", *(f"--config={file}" for file in files)], environment, tmp_path)
    try:
        written = wait_until(lambda: _whole(tmp_path / "out", other.rstrip()))
    finally:
        running.kill_all()
    resources = [one for batch in written.splitlines() for one in json.loads(batch)["resourceLogs"]]
    found = {record["body"]["stringValue"]: (one, record) for one in resources for record in records(one)}
    assert {*found} == {line.rstrip(), other.rstrip()}
    resource, record = found[line.rstrip()]
    named = {item["key"]: item["value"]["stringValue"] for item in resource["resource"]["attributes"]}
    assert named.items() >= {"service.name": "inventory-api", "k8s.namespace.name": "shop"}.items()
    assert named["k8s.pod.name"] == "stock-abc"
    assert (record["traceId"], record["spanId"], record["severityText"]) == ("a" * 32, "b" * 16, "info")


def _whole(path: Path, last: str) -> str:
    """Of a file that is being written; empty until it has this, and ends with a line."""
    text = path.read_text() if path.exists() else ""
    return text if last in text and text.endswith("\n") else ""


def records(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return [record for scope in resource["scopeLogs"] for record in scope["logRecords"]]


def test_the_collector_keeps_what_failed_and_what_was_slow_and_of_the_rest_its_share(tmp_path: Path) -> None:
    failed, slow, ordinary, late = (uuid.uuid4().hex for _ in range(4))
    with stores(tmp_path, tmp_path / "none", KEPT_PERCENTAGE="0", DECISION_WAIT="1s") as opened:
        opened.send([span(failed, "POST /orders", 20), span(failed, "webhook deliver", 5, kind=3, status=ERROR)])
        opened.send([span(slow, "POST /orders", 300)])
        opened.send([span(ordinary, "POST /orders", 20)])
        opened.send([span(late, "POST /orders", 20), span(late, "job event", 2_000, kind=5)])
        wait_until(lambda: opened.trace(failed) and opened.trace(slow))
        # Decided on after the others: what was before it has been, too.
        marker = uuid.uuid4().hex
        opened.send([span(marker, "POST /orders", 20, status=ERROR)])
        wait_until(lambda: opened.trace(marker))
        assert "POST /orders" in opened.trace(failed)
        assert opened.trace(ordinary) == ""
        assert opened.trace(late) == ""
        opened.send([span(failed, "webhook deliver again", 5, kind=3)])
        wait_until(lambda: "webhook deliver again" in opened.trace(failed))


def test_the_collector_writes_no_secret_of_a_span_or_of_a_log_line(tmp_path: Path) -> None:
    request_id, trace_id = str(uuid7()), uuid.uuid4().hex
    # Each is caught by one pattern alone.
    values = (
        "Bearer hidden1", "Basic hidden2", "whsec_hidden3", "postgresql://someone:hidden4@db/inventory",
        "REDIS://:hidden5@valkey:6379/0", "https://s3/a?X-Amz-Signature=hidden6", "/a?X-Amz-Security-Token=hidden7&b=c",
    )  # fmt: skip
    keys = ("x.authorization", "db.password", "client_secret", "x-api-key", "http.cookie", "access_token")
    given: dict[str, Any] = {
        **{f"value.{number}": value for number, value in enumerate(values)},
        **dict.fromkeys(keys, "hidden8"),
        "app.request_id": request_id,
    }
    fields = {**dict.fromkeys(keys, "hidden9"), "PASSWORD": 'hidden"10', "Set-Cookie": 1_234_567}
    written = {**json.loads(log_line(request_id, " and ".join(values))), **fields}
    (tmp_path / "log").write_text(json.dumps(written) + "\n")
    with stores(tmp_path, tmp_path / "log", KEPT_PERCENTAGE="100", DECISION_WAIT="1s") as opened:
        opened.send([span(trace_id, "POST /orders", 20, **given)])
        kept = wait_until(lambda: opened.trace(trace_id))
        (line,) = wait_until(lambda: opened.lines(request_id))
    assert request_id in kept
    assert "hidden" not in kept
    assert "hidden" not in line
    assert "1234567" not in line
    found = json.loads(line)
    assert found["request_id"] == request_id
    assert found.keys() == written.keys()
