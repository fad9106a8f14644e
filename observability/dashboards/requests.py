"""Requests by route: how many, how many fail and with what, how long they take, and who is refused."""

from collections.abc import Iterator

from observability.rules.slo import ERRORS, LATENCY_THRESHOLD
from observability.rules.slo import REQUESTS as DURATION

from .board import Board
from .explore import ROUTE, to_board, to_logs, to_traces
from .panels import BLUE, GREEN, ORANGE, RED, YELLOW, About, Column, Panel, Query, graph, heat, number, rows, states
from .ratios import share
from .variables import PODS, REQUESTS

LONG = float(LATENCY_THRESHOLD)
QUANTILES = (0.5, 0.95, 0.99)
RATE = "[$__rate_interval]"
COUNT = f"rate({DURATION}_count{{{REQUESTS}}}{RATE})"
FAILED = f"rate({ERRORS}{{{REQUESTS}}}{RATE})"
# Of everything within a table, which has no time to follow.
LATELY = "[5m]"
OF_ROUTE = [
    to_logs("Lines of failures of this route", f'http_route="{ROUTE}" | http_response_status_code >= 500'),
    to_traces("Traces of failures of this route", f'span.http.route="{ROUTE}" && status=error'),
]
SLOW_OF_ROUTE = [
    to_traces("Slow traces of this route", f'span.http.route="{ROUTE}" && duration>{LONG * 1000:g}ms'),
    to_logs("Lines of slow requests of this route", f'http_route="{ROUTE}" | duration_ms > {LONG * 1000:g}'),
]


def board() -> Board:
    """See the module."""
    return Board(
        "requests",
        "Rate, errors and duration of requests, by route. A click on a series leads to its lines and its traces; "
        "a diamond on a duration is one sampled request, and leads to its trace.",
        [
            ("Now", [*_now()]),
            ("Rate", [*_rate()]),
            ("Errors", [*_errors()]),
            ("Duration", [*_duration()]),
            ("Load and refusals", [*_refusals()]),
        ],
        ["route"],
    )


def _now() -> Iterator[Panel]:
    yield number(
        About("Requests", "All that were answered. A sudden fall is worse than a rise.", "reqps", 6, base=BLUE),
        Query(f"sum({COUNT})", "requests"),
    )
    yield number(
        About(
            "Failures",
            "Answers of 500 and above, of all. Above 0.1 % an objective of 99.9 % is missed in the long run.",
            "percentunit",
            6,
            {ORANGE: 0.001, RED: 0.0144},
            links=[to_board("Objectives", "slo")],
        ),
        Query(share(f"sum({FAILED})", f"sum({COUNT})"), "failures"),
    ).decimals(2)
    yield number(
        About("p99", "One in a hundred takes longer.", "s", 6, {ORANGE: LONG, RED: 1}),
        Query(_quantile(0.99, ""), "p99"),
    )
    yield number(
        About(
            "In flight",
            "Requests that are being answered now. By Little's law, rate times duration.",
            "none",
            6,
            base=BLUE,
        ),
        Query(f"sum(http_server_active_requests{{{PODS}}})", "in flight"),
    )
    by_route = "sum by (http_route)"
    yield rows(
        About(
            "Routes",
            "The last five minutes. Begin with the route that has most failures a second, not the highest ratio.",
            "none",
            24,
            base=BLUE,
            links=[to_board("Saturation", "saturation")],
        ),
        [
            # A route without requests has no row: its quantiles are no numbers.
            Column("Rate", f"{by_route} ({_lately(COUNT)}) > 0", "reqps"),
            Column(
                "Failures",
                share(f"{by_route} ({_lately(FAILED)})", f"{by_route} ({_lately(COUNT)})"),
                "percentunit",
                {ORANGE: 0.001, RED: 0.0144},
            ),
            Column("p50", f"{_lately(_quantile(0.5, 'http_route'))} >= 0", "s", {ORANGE: LONG, RED: 1}),
            Column("p99", f"{_lately(_quantile(0.99, 'http_route'))} >= 0", "s", {ORANGE: LONG, RED: 1}),
        ],
        {"http_route": "Route"},
        most="Rate",
    )


def _rate() -> Iterator[Panel]:
    yield graph(
        About("Requests by route", "Who asks for what; none is what no route is for.", "reqps", data_links=OF_ROUTE),
        Query(f"sum by (http_route) ({COUNT})", "{{http_route}}"),
        stacked=True,
    )
    yield graph(
        About(
            "Requests by status",
            "499 is a client that left: it waited for longer than it wanted to. 4xx are theirs, 5xx are ours.",
            "reqps",
            8,
        ),
        Query(f"sum by (http_response_status_code) ({COUNT})", "{{http_response_status_code}}"),
        stacked=True,
    )
    yield graph(
        About("Requests by method", "Writes cost more: a transaction, a movement, an audit row each.", "reqps", 4),
        Query(f"sum by (http_request_method) ({COUNT})", "{{http_request_method}}"),
        stacked=True,
    )


def _errors() -> Iterator[Panel]:
    yield graph(
        About(
            "Failures by route",
            "Of each route's requests, those that were answered by 500 and above. All routes at once: a dependency; "
            "one alone: its code or its statements.",
            "percentunit",
            8,
            {ORANGE: 0.001, RED: 0.0144},
            data_links=OF_ROUTE,
        ),
        Query(share(f"sum by (http_route) ({FAILED})", f"sum by (http_route) ({COUNT})"), "{{http_route}}"),
        highest=1,
    )
    yield graph(
        About(
            "Exceptions by type",
            "DEPENDENCY_UNAVAILABLE is the database or the storage, OVERLOADED and DEADLINE_EXCEEDED are load, "
            "INTERNAL_FAILURE is a defect: its stack is in the log.",
            "reqps",
            8,
            data_links=[to_logs("Lines of this type", 'error_type="${__field.labels.error_type}"')],
            links=[to_board("Saturation", "saturation"), to_board("Data and jobs", "data")],
        ),
        Query(f"sum by (error_type) ({FAILED})", "{{error_type}}"),
        stacked=True,
    )
    refused = f'rate({DURATION}_count{{{REQUESTS}, http_response_status_code=~"4.."}}{RATE})'
    yield graph(
        About(
            "Errors of clients, by route",
            "A new client that does it wrong, or a release that changed what is right: compare with the marks.",
            "reqps",
            8,
            links=[to_board("Releases", "releases")],
            data_links=[to_logs("Lines of them", f'http_route="{ROUTE}" | http_response_status_code >= 400')],
        ),
        Query(f"sum by (http_route) ({refused})", "{{http_route}}"),
    )


def _duration() -> Iterator[Panel]:
    yield graph(
        About(
            "Quantiles of duration",
            "From the first byte of the headers to the last byte of the answer. The median is how it is, p99 is who "
            "waits: for a connection, for a lock, for the loop.",
            "s",
            8,
            {ORANGE: LONG},
            links=[to_board("Saturation", "saturation")],
        ),
        *(Query(_quantile(q, ""), f"p{q * 100:g}", exemplars=q == max(QUANTILES)) for q in QUANTILES),
    )
    for q in (0.95, 0.99):
        yield graph(
            About(
                f"p{q * 100:g} by route",
                f"What is promised is that 99 in 100 take at most {LONG * 1000:g} ms; files are not counted there.",
                "s",
                8,
                {ORANGE: LONG},
                data_links=SLOW_OF_ROUTE,
            ),
            Query(_quantile(q, "http_route"), "{{http_route}}", exemplars=q == max(QUANTILES)),
        )
    yield heat(
        About(
            "Distribution of durations",
            "Two bands are two kinds of requests, such as hits and misses of the cache; a band that rises is a queue.",
            "s",
            16,
        ),
        Query(f"sum by (le) (increase({DURATION}_bucket{{{REQUESTS}}}{RATE}))", "{{le}}", exemplars=True),
    )
    fast = f'rate({DURATION}_bucket{{{REQUESTS}, le="{LATENCY_THRESHOLD}"}}{RATE})'
    yield graph(
        About(
            f"Within {LONG * 1000:g} ms, by route",
            "The part that is fast enough. Below 99 % a route costs the budget of latency.",
            "percentunit",
            8,
            {GREEN: 0.99},
            base=RED,
            data_links=SLOW_OF_ROUTE,
            links=[to_board("Objectives", "slo")],
        ),
        Query(f"sum by (http_route) ({fast}) / (sum by (http_route) ({COUNT}) > 0)", "{{http_route}}"),
        highest=1,
    )


def _refusals() -> Iterator[Panel]:
    yield graph(
        About(
            "In flight, by pod",
            "A pod with more than others is slow, or gets more than its share. At the limit of the pod it sheds.",
            "none",
            6,
        ),
        Query(f"sum by (pod) (http_server_active_requests{{{PODS}}})", "{{pod}}"),
    )
    yield graph(
        About(
            "Shed",
            "Told 503 at once, so that others are answered. More pods, or find what makes requests slow.",
            "reqps",
            6,
            {ORANGE: 0.1, RED: 1},
            links=[to_board("Saturation", "saturation")],
        ),
        Query(f"sum by (reason) (rate(http_server_shed_total{{{PODS}}}{RATE}))", "{{reason}}"),
        stacked=True,
    )
    yield graph(
        About(
            "Rate limited",
            "Told 429, by the limit that was exceeded. One key alone: its client retries too fast; ask its owner.",
            "reqps",
            6,
            {YELLOW: 1},
            data_links=[to_logs("Lines of them", "http_response_status_code=429")],
        ),
        Query(f"sum by (policy) (rate(http_server_rate_limited_total{{{PODS}}}{RATE}))", "{{policy}}"),
        stacked=True,
    )
    denied = f'rate({DURATION}_count{{{REQUESTS}, http_response_status_code=~"401|403"}}{RATE})'
    yield graph(
        About(
            "Denied",
            "401: no key that counts; 403: a key without the scope. A rotation that was half done, or an intruder.",
            "reqps",
            6,
            {ORANGE: 1},
            data_links=[to_logs("Lines of them", 'http_response_status_code=~"401|403"')],
        ),
        Query(f"sum by (http_response_status_code) ({denied})", "{{http_response_status_code}}"),
    )
    yield states(
        About(
            "Keys are read",
            "Where it was not possible, keys that were revoked since then still count: look at the Secret and the log.",
            "none",
            24,
            {GREEN: 1},
            base=RED,
        ),
        Query(f"min by (pod) (api_keys_last_reload_successful{{{PODS}}})", "{{pod}}"),
        one="read",
        zero="could not be read",
    )


def _quantile(q: float, by: str) -> str:
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({q:g}, sum by ({labels}) (rate({DURATION}_bucket{{{REQUESTS}}}{RATE})))"


def _lately(expression: str) -> str:
    return expression.replace(RATE, LATELY)
