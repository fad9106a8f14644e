"""Whether what is observed arrives: scrapes, rules, spans and log lines."""

from collections.abc import Iterator

from .board import Board
from .explore import to_board, to_logs
from .panels import GREEN, ORANGE, RED, YELLOW, About, Panel, Query, graph, number, states
from .variables import PODS

RATE = "[$__rate_interval]"
# Of Prometheus itself, where it is scraped: the groups of the rules of this service.
RULES = 'cluster=~"$cluster", rule_group=~".*inventory-api-.+"'


def board() -> Board:
    """See the module."""
    return Board(
        "telemetry",
        "Whether the other dashboards can be believed. What is missing here is missing everywhere.",
        [
            ("Scrapes", [*_scrapes()]),
            ("Rules", [*_rules()]),
            ("Traces and logs", [*_traces_and_logs()]),
        ],
    )


def _scrapes() -> Iterator[Panel]:
    yield number(
        About(
            "Targets up",
            "Of those that Prometheus looks for. 0 while requests are answered: a network policy, or a wrong label.",
            "percentunit",
            6,
            {ORANGE: 0.5, GREEN: 0.9},
            base=RED,
        ),
        Query(f"avg(up{{{PODS}}})", "up"),
    )
    yield states(
        About(
            "Targets",
            "A pod that is down here and ready on the dashboard of saturation: the way to its management port.",
            "none",
            18,
            {GREEN: 1},
            base=RED,
            links=[to_board("Saturation", "saturation")],
        ),
        Query(f"min by (pod, instance) (up{{{PODS}}})", "{{pod}} {{instance}}"),
        one="up",
        zero="down",
    )
    yield graph(
        About(
            "Duration of scrapes",
            "A slow one is a busy event loop or a server worker that is waited for; at the time-out there are gaps.",
            "s",
            8,
            {ORANGE: 0.5, RED: 2},
        ),
        Query(f"max by (pod) (scrape_duration_seconds{{{PODS}}})", "{{pod}}"),
    )
    yield graph(
        About(
            "Samples of a scrape",
            "By pod. The sets of labels are closed: it grows by server workers and by releases, and not by clients.",
            "none",
            8,
        ),
        Query(f"max by (pod) (scrape_samples_scraped{{{PODS}}})", "{{pod}}"),
    )
    yield graph(
        About(
            "New series",
            "Near 0 but for starts. If it stays high, some label has a value for each request.",
            "none",
            8,
        ),
        Query(f"sum by (pod) (scrape_series_added{{{PODS}}})", "{{pod}}"),
    )


def _rules() -> Iterator[Panel]:
    yield graph(
        About(
            "Evaluation of rules",
            "Seconds that each group takes; more than its interval, and alerts are late.",
            "s",
            8,
            {ORANGE: 5},
        ),
        Query(_named(f"max by (rule_group) (prometheus_rule_group_last_duration_seconds{{{RULES}}})"), "{{group}}"),
    )
    failures = f"rate(prometheus_rule_evaluation_failures_total{{{RULES}}}{RATE})"
    yield graph(
        About(
            "Rules that fail",
            "Evaluations that ended with an error: the page /rules of Prometheus tells which.",
            "cps",
            8,
            {RED: 0.001},
        ),
        Query(_named(f"sum by (rule_group) ({failures})"), "{{group}}"),
    )
    # A group that never was evaluated has the year 1, or 1970.
    evaluated = f"prometheus_rule_group_last_evaluation_timestamp_seconds{{{RULES}}} > 0"
    yield graph(
        About(
            "Since rules were evaluated",
            "A saw below the interval. A line that climbs: Prometheus is overloaded, or has no such group any more.",
            "s",
            8,
            {ORANGE: 240},
        ),
        Query(f"time() - {_named(f'max by (rule_group) ({evaluated})')}", "{{group}}"),
    )


def _named(by_group: str) -> str:
    """With the name of the group alone: Prometheus puts the path of its file before it."""
    return f'label_replace({by_group}, "group", "$1", "rule_group", ".*;(.+)")'


def _traces_and_logs() -> Iterator[Panel]:
    yield graph(
        About(
            "Spans that were dropped",
            "queue_full: a faster collector or a lower ratio is needed. export_failed: no collector took them.",
            "cps",
            8,
            {ORANGE: 0.1},
            data_links=[to_logs("Lines of the exporter", 'logger=~"opentelemetry.*"')],
        ),
        Query(f"sum by (reason) (rate(otel_spans_dropped_total{{{PODS}}}{RATE}))", "{{reason}}"),
        stacked=True,
    )
    yield graph(
        About(
            "Log lines",
            "By level. A flood costs as much as the requests that it tells of.",
            "cps",
            8,
            data_links=[to_logs("Lines of this level", 'level="${__field.labels.level}"')],
        ),
        Query(f"sum by (level) (rate(log_records_total{{{PODS}}}{RATE}))", "{{level}}"),
        stacked=True,
    )
    bad = f'{PODS}, level=~"warning|error|critical"'
    yield graph(
        About(
            "Warnings and errors",
            "By pod. An error line is a defect or a dependency; one pod alone is its node or its process.",
            "cps",
            8,
            {YELLOW: 0.1, ORANGE: 1},
            data_links=[to_logs("These lines", 'level=~"warning|error|critical"')],
        ),
        Query(f"sum by (pod, level) (rate(log_records_total{{{bad}}}{RATE}))", "{{level}} {{pod}}"),
    )
