"""Series that are not of the catalogue: of Python's client library, and what Prometheus itself makes."""

from .vocabulary import Series, Values

ANY: Values = None
_ALERT = {"alertname": ANY, "severity": frozenset({"critical", "warning", "info", "none"}), "release": ANY}
GENERATIONS = {"generation": frozenset({"0", "1", "2"})}

FOREIGN = (
    Series("process_cpu_seconds_total", "counter", {}),
    Series("process_resident_memory_bytes", "gauge", {}),
    Series("process_virtual_memory_bytes", "gauge", {}),
    Series("process_start_time_seconds", "gauge", {}),
    Series("process_open_fds", "gauge", {}),
    Series("process_max_fds", "gauge", {}),
    Series("python_gc_collections_total", "counter", GENERATIONS),
    Series("python_gc_objects_collected_total", "counter", GENERATIONS),
    Series("python_gc_objects_uncollectable_total", "counter", GENERATIONS),
    Series("up", "gauge", {}),
    Series("scrape_duration_seconds", "gauge", {}),
    Series("scrape_samples_scraped", "gauge", {}),
    Series("scrape_series_added", "gauge", {}),
    Series("prometheus_rule_group_last_duration_seconds", "gauge", {"rule_group": ANY}),
    Series("prometheus_rule_group_last_evaluation_timestamp_seconds", "gauge", {"rule_group": ANY}),
    Series("prometheus_rule_evaluation_failures_total", "counter", {"rule_group": ANY}),
    Series("ALERTS", "gauge", {**_ALERT, "alertstate": frozenset({"pending", "firing"}), "window": ANY, "slo": ANY}),
)
