"""gunicorn, server workers and both ports, as processes."""

import signal
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.support.database import fetch
from tests.support.otlp import attributes, collecting
from tests.support.process import Server, serving
from tests.support.service import AUTHORIZATION
from tests.support.waiting import wait_until


def test_every_line_of_stdout_is_json_whoever_logs(server: Server) -> None:
    server.put("A-1")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    lines = server.log_lines()
    assert {"gunicorn.error", "uvicorn.error", "inventory_api.access", "inventory_api.health"} <= {
        line["logger"] for line in lines
    }
    assert all({"timestamp", "level", "service", "message"} <= set(line) for line in lines)
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert [line for line in lines if line["level"] in ("error", "critical")] == []
    assert server.stderr == ""


def test_the_management_port_answers_probes_and_metrics_and_nothing_else(server: Server) -> None:
    assert httpx.get(f"{server.management}/system/live").status_code == 200
    assert httpx.get(f"{server.management}/metrics").status_code == 200
    assert httpx.get(f"{server.management}/inventory/A-1", headers=AUTHORIZATION).status_code == 404
    assert httpx.get(f"{server.api}/system/live").status_code == 200
    assert httpx.get(f"{server.api}/metrics").status_code == 404


def test_metrics_are_valid_in_both_formats_and_say_who_counted(server: Server) -> None:
    server.put("A-1")
    openmetrics = httpx.get(f"{server.management}/metrics", headers={"Accept": "application/openmetrics-text"})
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text")
    assert {"http_server_request_duration_seconds", "process_resident_memory_bytes", "app_build_info"} <= {
        family.name
        for family in openmetrics_parser.text_string_to_metric_families(openmetrics.text)  # type: ignore[no-untyped-call]
    }
    samples = [sample for family in parse_text(server.metrics()) for sample in family.samples]
    once = ("cgroup_", "service_start_time_seconds")
    of_container = [sample for sample in samples if sample.name.startswith(once)]
    assert all(sample.labels == {} for sample in of_container)
    assert all(sample.labels["server_worker"] == "0" for sample in samples if sample not in of_container)
    counted = {"http_request_method": "PUT", "http_route": "/inventory/{sku}", "http_response_status_code": "201"}
    assert [
        s.value for s in samples if s.name.endswith("duration_seconds_count") and counted.items() <= s.labels.items()
    ] == [1]


def test_any_of_two_workers_tells_the_metrics_of_both_and_a_killed_one_comes_back_in_its_slot(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with serving(tmp_path, workers=2, **settings) as server:
        up = ('server_worker_up{server_worker="0"} 1.0', 'server_worker_up{server_worker="1"} 1.0')
        wait_until(lambda: all(line in server.metrics() for line in up))
        assert server.metric("health_ready") == 2
        for n in range(20):
            server.put(f"A-{n}")
        counts = [
            sample.value
            for family in parse_text(server.metrics())
            for sample in family.samples
            if sample.name == "http_server_request_duration_seconds_count"
            and sample.labels["http_request_method"] == "PUT"
        ]
        assert sum(counts) == 20
        killed = server.children()[0]
        killed.kill()
        wait_until(lambda: not killed.is_running() and server.restarted_as(2))
        wait_until(lambda: all(line in server.metrics() for line in up))


def test_one_request_id_joins_error_log_trace_and_audit(
    settings: dict[str, Any], tmp_path: Path, database_url: str
) -> None:
    with (
        collecting() as collector,
        serving(
            tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OTEL_BSP_SCHEDULE_DELAY=100, **settings
        ) as server,
    ):
        assert server.put("A-1", **{"X-Request-ID": "joined"}).status_code == 201
        openmetrics = httpx.get(f"{server.management}/metrics", headers={"Accept": "application/openmetrics-text"})
        failed = httpx.get(f"{server.api}/inventory/absent", headers={**AUTHORIZATION, "X-Request-ID": "failed"})
        for port in (server.api, server.management):
            httpx.get(f"{port}/system/ready")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        (line,) = [line for line in server.log_lines() if line.get("request_id") == "joined"]
        spans = collector.trace(line["trace_id"])
    assert f'# {{trace_id="{line["trace_id"]}"}}' in openmetrics.text, "the exemplar of its bucket"
    assert failed.json()["error"]["trace_id"] in {line.get("trace_id") for line in server.log_lines()}
    (request,) = [span for span in spans if attributes(span).get("app.request_id") == "joined"]
    assert request.name == "PUT /inventory/{sku}"
    assert attributes(request)["http.response.status_code"] == "201"
    names = {span.name for span in spans}
    assert {"database.acquire", "inventory.insert_item", "jobs.enqueue_gathered+audit.insert"} <= names
    assert not [name for name in names if name.endswith((" send", " receive"))]
    assert not [span for span in collector.spans() if "/system/" in span.name]
    row = fetch(database_url, "SELECT request_id, trace_id FROM audit_entry")[0]
    assert tuple(row) == ("joined", line["trace_id"])


def test_a_collector_that_refuses_does_not_disturb_requests(settings: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", **settings) as server:
        assert server.put("A-1").status_code == 201
