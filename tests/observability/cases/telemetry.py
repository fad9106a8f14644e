"""Whether what is observed arrives."""

from tests.observability.alerting import API, NAMESPACE, Case, Firing, one

from .slo import minutely

DROPPED, SCRAPE = "otel_spans_dropped_total", "scrape_duration_seconds"
LOST = Firing(
    "warning",
    f"Traces or metrics of {API} are lost",
    "It drops spans that no collector takes, or gives its metrics too slowly.",
    "telemetry",
    {"pod": API},
)

CASES = (
    Case("TelemetryDropping", "spans", {one(DROPPED, reason="queue_full"): minutely(1)}, "11m", [LOST], "10m"),
    Case("TelemetryDropping", "a slow scrape", {one(SCRAPE): "1 2.1x20"}, "11m", [LOST], "10m"),
    Case(
        "TelemetryDropping",
        "spans were dropped once, and a scrape takes long",
        {one(DROPPED, reason="shutdown"): "0 0 40x20", one(SCRAPE): "1.9x20"},
        "20m",
    ),
    Case(
        "Watchdog",
        "always, also where there is nothing",
        {},
        "0m",
        [
            Firing(
                "none",
                "Alerts are evaluated and sent",
                "It always fires. Where it no longer arrives, no other alert does.",
                "telemetry",
                {"namespace": NAMESPACE},
            )
        ],
    ),
)
