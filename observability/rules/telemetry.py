"""Whether what is observed arrives."""

from collections.abc import Iterator

from .model import Alert, Group, Options

# A fifth of the chart's default for the time-out of a scrape.
SLOW_SCRAPE_SECONDS = 2


def groups(options: Options) -> Iterator[Group]:
    of = options.selector
    dropped = f"sum by (namespace, pod) (rate(otel_spans_dropped_total{{{of}}}[{options.span('5m')}])) > 0"
    yield Group(
        "telemetry",
        [
            Alert(
                "TelemetryDropping",
                f"{dropped}\nor max by (namespace, pod) (scrape_duration_seconds{{{of}}}) > {SLOW_SCRAPE_SECONDS}",
                "warning",
                "10m",
                "Traces or metrics of {{ $labels.pod }} are lost",
                "It drops spans that no collector takes, or gives its metrics too slowly.",
                "telemetry",
            ),
            Alert(
                "Watchdog",
                "vector(1)",
                "none",
                "0s",
                "Alerts are evaluated and sent",
                "It always fires. Where it no longer arrives, no other alert does.",
                "telemetry",
                {"namespace": options.namespace},
            ),
        ],
    )
