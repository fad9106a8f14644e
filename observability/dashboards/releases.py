"""One release beside the other, while both run: whether the new one does worse."""

from collections.abc import Iterator

from observability.rules.slo import ERRORS, LATENCY_THRESHOLD, PREFIX
from observability.rules.slo import REQUESTS as DURATION

from .board import Board
from .explore import to_board
from .panels import GREEN, ORANGE, RED, YELLOW, About, Column, Panel, Query, graph, number, rows, states
from .ratios import share
from .variables import PODS, RECORDED, REQUESTS

RATE = "[$__rate_interval]"
OBJECTIVE = f"{PREFIX}_objective:ratio"
LONG = float(LATENCY_THRESHOLD)
# Whose process a sample is of.
PROCESS = "cluster, namespace, pod, instance, server_worker"
VERSION = "{{version}}"


def board() -> Board:
    """See the module."""
    return Board(
        "releases",
        "The same measures of each version, by app_build_info of the process that they are of. Compare ratios and "
        "durations, not rates: during a rollout the versions have unequal shares of the requests.",
        [
            ("What runs", [*_running()]),
            ("Requests by version", [*_requests()]),
            ("Cost by version", [*_cost()]),
        ],
        ["route", "release"],
    )


def _running() -> Iterator[Panel]:
    yield number(
        About(
            "Versions",
            "2 during a rollout. If it stays so, the rollout has stopped: kubectl rollout status tells why.",
            "none",
            4,
            {YELLOW: 2},
        ),
        Query(f"count(count by (version, commit) (app_build_info{{{PODS}}}))", "versions"),
    )
    yield graph(
        About("Pods by version", "The course of a rollout, for the API and for the queue worker.", "none", 10),
        Query(
            f"count by (version, component) (group by (version, component, pod) (app_build_info{{{PODS}}}))",
            f"{VERSION} {{{{component}}}}",
        ),
        stacked=True,
    )
    yield states(
        About(
            "Schema",
            "Where it is behind, the release needs a migration that has not run: look at the migration's Job.",
            "none",
            10,
            {GREEN: 1},
            base=RED,
        ),
        Query(f'min by (pod) (health_check_up{{{PODS}, check="schema"}})', "{{pod}}"),
        one="as needed",
        zero="behind",
    )
    labels = "version, commit, component, pod"
    started = f"process_start_time_seconds{{{PODS}}} {_joined('version, commit, component')}"
    yield rows(
        About("Processes", "Which pod runs which release, and for how long.", "none", 24),
        [
            Column("Running for", f"max by ({labels}) (time() - {started})", "s"),
            Column("Processes", f"count by ({labels}) (app_build_info{{{PODS}}})", "none"),
        ],
        {"version": "Version", "commit": "Commit", "component": "Component", "pod": "Pod"},
    )


def _requests() -> Iterator[Panel]:
    count = _by_version(f"{DURATION}_count{{{REQUESTS}}}")
    yield graph(
        About("Requests", "Which share each version has.", "reqps", 8),
        Query(count, VERSION),
        stacked=True,
    )
    yield graph(
        About(
            "Failures",
            "Of the requests of each version. Above that of the old one: roll back, then look. The dashed line is what "
            "the objective leaves.",
            "percentunit",
            8,
        ),
        Query(share(_by_version(f"{ERRORS}{{{REQUESTS}}}"), count), VERSION),
        Query(f'1 - {OBJECTIVE}{{{RECORDED}, slo="availability"}}', "objective", is_limit=True),
    )
    yield graph(
        About(
            "Exceptions by type",
            "A type that only the new version has is its own doing.",
            "reqps",
            8,
            links=[to_board("Requests", "requests")],
        ),
        Query(_by_version(f"{ERRORS}{{{REQUESTS}}}", "error_type"), f"{VERSION} {{{{error_type}}}}"),
        stacked=True,
    )
    for q in (0.5, 0.99):
        yield graph(
            About(
                f"p{q * 100:g}",
                "A new process is slow until its pools and caches are warm: judge after some minutes.",
                "s",
                8,
                {ORANGE: LONG},
            ),
            Query(f"histogram_quantile({q:g}, {_by_version(f'{DURATION}_bucket{{{REQUESTS}}}', 'le')})", VERSION),
        )
    fast = f'{DURATION}_bucket{{{REQUESTS}, le="{LATENCY_THRESHOLD}"}}'
    yield graph(
        About(
            f"Within {LONG * 1000:g} ms",
            "The part that is fast enough, of each version. The dashed line is the objective.",
            "percentunit",
            8,
            links=[to_board("Objectives", "slo")],
        ),
        Query(f"{_by_version(fast)} / ({count} > 0)", VERSION),
        Query(f'{OBJECTIVE}{{{RECORDED}, slo="latency"}}', "objective", is_limit=True),
        lowest=None,
        highest=1,
    )


def _cost() -> Iterator[Panel]:
    count = _by_version(f"{DURATION}_count{{{PODS}}}")
    yield graph(
        About("Processor of a request", "What one costs, with all that the process does beside.", "s", 8),
        Query(f"{_by_version(f'process_cpu_seconds_total{{{PODS}}}')} / ({count} > 0)", VERSION),
    )
    statements = f"db_client_operation_duration_seconds_sum{{{PODS}}}"
    yield graph(
        About(
            "PostgreSQL of a request", "The time that it waits for statements: more of them, or slower ones.", "s", 8
        ),
        Query(f"{_by_version(statements)} / ({count} > 0)", VERSION),
    )
    yield graph(
        About("Memory of a process", "On average; it grows for a while after a start.", "bytes", 8),
        Query(f"avg by (version) (process_resident_memory_bytes{{{PODS}}} {_joined('version')})", VERSION),
    )


def _by_version(counter: str, more: str = "") -> str:
    labels = f"version, {more}" if more else "version"
    return f"sum by ({labels}) (rate({counter}{RATE}) {_joined('version')})"


def _joined(labels: str) -> str:
    return f"* on ({PROCESS}) group_left ({labels}) app_build_info{{{PODS}}}"
