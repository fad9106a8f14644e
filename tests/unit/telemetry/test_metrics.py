"""The catalogue is all that is exposed."""

from prometheus_client import generate_latest

from inventory_api.telemetry.metrics import (
    CATALOGUE,
    CGROUP_MEMORY_LIMIT,
    CGROUP_MEMORY_WORKING_SET,
    SERVER_WORKER_EXITS,
    SERVER_WORKER_UP,
    SERVICE_START,
    Metrics,
)

# Made where the metrics of all server workers are gathered.
GATHERED = {
    SERVICE_START.name,
    SERVER_WORKER_UP.name,
    SERVER_WORKER_EXITS.name.removesuffix("_total"),
    CGROUP_MEMORY_WORKING_SET.name,
    CGROUP_MEMORY_LIMIT.name,
}


def test_everything_that_is_exposed_is_in_the_catalogue_and_the_other_way_round() -> None:
    families = {family.name for family in Metrics().registry.collect()}
    exposed = {name for name in families if not name.startswith(("process_", "python_gc_"))}
    declared = {metric.name.removesuffix("_total") for metric in CATALOGUE} - GATHERED
    assert exposed == declared


def test_series_of_listed_label_values_begin_at_0() -> None:
    text = generate_latest(Metrics().registry).decode()
    assert 'log_records_total{level="error"} 0.0' in text
    assert 'health_check_up{check="database"} 0.0' in text


def test_no_label_is_of_unbounded_values() -> None:
    forbidden = {"request_id", "path", "sku", "pid", "trace_id", "principal"}
    assert not [metric.name for metric in CATALOGUE if forbidden & set(metric.labels)]
    assert all(metric.help and metric.unit for metric in CATALOGUE)
