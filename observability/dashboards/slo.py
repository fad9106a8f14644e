"""Objectives: whether they are kept, how fast their budgets burn, and what fires."""

from collections.abc import Iterator

from observability.rules.slo import BURNS, LONG_WINDOWS, PREFIX, SHORT_WINDOWS

from .board import Board
from .explore import to_board
from .panels import BLUE, GREEN, ORANGE, RED, YELLOW, About, Column, Panel, Query, bars, graph, number, rows
from .variables import ALERTS, RECORDED

WINDOWS = ("5m", *SHORT_WINDOWS, *(window for window in LONG_WINDOWS if window != "30d"))
# From those burns on somebody is told.
STEPS = dict(zip((YELLOW, ORANGE, "semi-dark-red", RED), sorted(float(burn.factor) for burn in BURNS), strict=True))
OBJECTIVES = {
    "availability": "Requests that are answered by less than 500",
    "latency": "Requests that did not fail and are answered within 250 ms",
}
NEXT = "Which route it is, the dashboard of requests tells."


def board() -> Board:
    """See the module."""
    return Board(
        "slo",
        "Whether the service keeps what it promises, how much of the error budget is left, and which alerts fire. "
        "Uploads and downloads of files are not counted. Below the least traffic of the chart no burn alerts.",
        [
            ("Now", [*_now()]),
            ("Burn", [*_burn()]),
            ("Alerts", [*_alerts()]),
        ],
        ["release"],
    )


def _now() -> Iterator[Panel]:
    for slo, meaning in OBJECTIVES.items():
        of = f'{RECORDED}, slo="{slo}"'
        kept, promised = f"1 - {PREFIX}_errors:ratio_rate30d{{{of}}}", f"{PREFIX}_objective:ratio{{{of}}}"
        yield number(
            About(
                f"{slo.capitalize()} of 30 days",
                f"{meaning}, of the last 30 days, beside what is promised. With nothing to spare no change is "
                "worth its risk.",
                "percentunit",
                6,
                base=BLUE,
            ),
            Query(kept, "kept {{release}}"),
            Query(promised, "promised {{release}}"),
            Query(f"{kept} - {promised}", "to spare {{release}}", steps={GREEN: 0}),
        ).decimals(3)
        yield number(
            About(
                f"Budget left of {slo}",
                "Of the failures that 30 days may have. At 0 the promise is broken: stop releases but for repairs.",
                "percentunit",
                6,
                {ORANGE: 0, GREEN: 0.25},
                base=RED,
            ),
            Query(f"{PREFIX}_error_budget:remaining_ratio{{{of}}}", "{{release}}"),
        ).decimals(1)
    yield graph(
        About(
            "Budget left",
            "The slope tells when it will be used up; a step down is an incident.",
            "percentunit",
            steps={ORANGE: 0, GREEN: 0.25},
            base=RED,
        ),
        Query(f"{PREFIX}_error_budget:remaining_ratio{{{RECORDED}}}", "{{slo}} {{release}}"),
        lowest=None,
        highest=1,
    )
    yield graph(
        About(
            "Requests, and those that miss an objective",
            f"In the last five minutes. Few requests make large ratios of single failures. {NEXT}",
            "reqps",
            links=[to_board("Requests by route", "requests")],
        ),
        Query(f'{PREFIX}_requests:rate5m{{{RECORDED}, slo="availability"}}', "requests {{release}}"),
        Query(f"{PREFIX}_errors:rate5m{{{RECORDED}}}", "miss {{slo}} {{release}}"),
    )


def _burn() -> Iterator[Panel]:
    for slo in OBJECTIVES:
        yield bars(
            About(
                f"Burn of {slo}, by window",
                "1 uses up the budget in just 30 days. Alerts fire at 14.4 (1h), 6 (6h), 3 (1d) and 1 (3d), while a "
                f"shorter window says that it goes on. {NEXT}",
                "short",
                8,
                STEPS,
                links=[to_board("Requests by route", "requests")],
            ),
            *(Query(_burning(slo, window), f"{window} {{{{release}}}}") for window in WINDOWS),
            highest=20,
        ).decimals(1)
        yield graph(
            About(
                f"Burn of {slo}",
                "How many times as fast as it may the budget is used. A short window that falls says that it is over, "
                "though the long ones still remember.",
                "short",
                16,
                STEPS,
                links=[to_board("Requests by route", "requests")],
            ),
            *(Query(_burning(slo, window), f"{window} {{{{release}}}}") for window in WINDOWS),
        )


def _burning(slo: str, window: str) -> str:
    of = f'{RECORDED}, slo="{slo}"'
    return f"{PREFIX}_errors:ratio_rate{window}{{{of}}} / (1 - {PREFIX}_objective:ratio{{{of}}})"


def _alerts() -> Iterator[Panel]:
    firing = f'{ALERTS}, alertstate="firing"'
    yield number(
        About(
            "Alerts that fire",
            "All of the release and its dependencies. Each has a page in docs/runbooks by its name.",
            "none",
            4,
            {RED: 1},
        ),
        Query(f"count(ALERTS{{{firing}}}) or vector(0)", "firing"),
    )
    watchdog = 'alertname="InventoryApiWatchdog", alertstate="firing"'
    yield number(
        About(
            "Rules are evaluated",
            "The Watchdog always fires. Without it no other alert would: look at Prometheus and at its rules.",
            "none",
            4,
            {GREEN: 1},
            base=RED,
        ),
        Query(f"count(ALERTS{{{RECORDED}, {watchdog}}}) or vector(0)", "watchdog"),
    )
    yield graph(
        About(
            "Alerts over time",
            "How many of each name fire or wait to fire. Those that come and go need another wait or threshold.",
            "none",
            16,
        ),
        Query(f"count by (alertname, alertstate) (ALERTS{{{ALERTS}}})", "{{alertname}} {{alertstate}}"),
        stacked=True,
    )
    kept = "alertname, severity, alertstate, window, pod, release"
    yield rows(
        About(
            "What fires or waits",
            "Begin with the critical ones, and with what others follow from: the database before latency.",
            "none",
            24,
            base=BLUE,
        ),
        [Column("Alerts", f"count by ({kept}) (ALERTS{{{ALERTS}}})", "none")],
        {
            "severity": "Severity",
            "alertname": "Alert",
            "alertstate": "State",
            "window": "Window",
            "pod": "Pod",
            "release": "Release",
        },
    )
