"""Service level objectives: what is counted, how fast the error budget burns, and when somebody must look.

Windows and factors are those of the SRE Workbook, chapter 5, for a budget of 30 days: 14.4 uses 2 % of it in an hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .model import Alert, Group, Options, Record, Severity

REQUESTS = "http_server_request_duration_seconds"
ERRORS = "http_server_exceptions_total"
PREFIX = "inventory_api:slo"
# How long the transfer of a file takes is its client's doing.
TRANSFERS = 'http_route!~".+/attachments|/attachments/.+/content"'
SUCCEEDED = 'http_response_status_code!~"5.."'
# An edge of the histogram's buckets, in seconds.
LATENCY_THRESHOLD = "0.25"
SHORT_WINDOWS = ("30m", "1h", "2h", "6h")
LONG_WINDOWS = ("1d", "3d", "30d")
BUDGET_WINDOW = "30d"
# Of an objective below 93.75 % more than all would have to fail: nearly all is then enough.
NEARLY_ALL = "0.9"


@dataclass(frozen=True, slots=True)
class Burn:
    """`long` says that it is worth it, `short` that it is still so."""

    long: str
    short: str
    factor: str
    hold: str
    severity: Severity


BURNS = (
    Burn("1h", "5m", "14.4", "2m", "critical"),
    Burn("6h", "30m", "6", "15m", "critical"),
    Burn("1d", "2h", "3", "1h", "warning"),
    Burn("3d", "6h", "1", "3h", "warning"),
)


def groups(options: Options) -> Iterator[Group]:
    objectives = {"availability": options.availability, "latency": options.latency}
    yield Group(
        "slo",
        [
            *_availability(options),
            *_latency(options),
            *(_ratio(slo, window, options) for slo in objectives for window in ("5m", *SHORT_WINDOWS)),
            *(Record(f"{PREFIX}_objective:ratio", f"{_vector(options)} * {objective} / 100", _labels(slo, options))
              for slo, objective in objectives.items()),
        ],
    )  # fmt: skip
    yield Group(
        "slo-long-windows",
        [
            *(_ratio(slo, window, options) for slo in objectives for window in LONG_WINDOWS),
            *(_budget(slo, objective, options) for slo, objective in objectives.items()),
        ],
        interval=options.span("2m"),
    )
    yield Group(
        "slo-alerts",
        [_alert(slo, objective, burn, options) for slo, objective in objectives.items() for burn in BURNS],
    )


def _availability(options: Options) -> Iterator[Record]:
    counted = f"{REQUESTS}_count{{{options.selector}, {TRANSFERS}}}[{options.span('5m')}]"
    failed = f"{ERRORS}{{{options.selector}, {TRANSFERS}}}[{options.span('5m')}]"
    labels = _labels("availability", options)
    total = f"sum by (namespace) (rate({counted}))"
    errors = f"sum by (namespace) (rate({failed}))"
    yield Record(f"{PREFIX}_requests:rate5m", total, labels)
    # There whenever requests are, and only then: means of both are of the same minutes. A pod that begins in an outage
    # tells its first failures by a series that was 0, and its first requests by one that was not there: not more of
    # them than of these.
    errors = f"{errors} < {total}\nor {total} and {errors}\nor 0 * {total}"
    yield Record(f"{PREFIX}_errors:rate5m", errors, labels)


def _latency(options: Options) -> Iterator[Record]:
    """Of requests that did not fail; a failure is counted once, by availability."""
    selector = f"{options.selector}, {TRANSFERS}, {SUCCEEDED}"
    window = options.span("5m")
    labels = _labels("latency", options)
    total = f"sum by (namespace) (rate({REQUESTS}_count{{{selector}}}[{window}]))"
    fast = f'sum by (namespace) (rate({REQUESTS}_bucket{{{selector}, le="{LATENCY_THRESHOLD}"}}[{window}]))'
    yield Record(f"{PREFIX}_requests:rate5m", total, labels)
    yield Record(f"{PREFIX}_errors:rate5m", f"{total} - {fast}", labels)


def _ratio(slo: str, window: str, options: Options) -> Record:
    """Longer windows are means of the rates of 5m: few series are read, and each minute weighs by its requests."""
    errors, requests = (
        _recorded(name, slo, options) if window == "5m" else _mean(_recorded(name, slo, options), window, options)
        for name in ("errors:rate5m", "requests:rate5m")
    )
    name = f"{PREFIX}_errors:ratio_rate{window}"
    return Record(name, f"{errors} / ({requests} > 0)", _labels(slo, options))


def _budget(slo: str, objective: str, options: Options) -> Record:
    spent = _recorded(f"errors:ratio_rate{BUDGET_WINDOW}", slo, options)
    return Record(
        f"{PREFIX}_error_budget:remaining_ratio", f"1 - {spent} / (1 - {objective} / 100)", _labels(slo, options)
    )


def _alert(slo: str, objective: str, burn: Burn, options: Options) -> Alert:
    threshold = f"{burn.factor} * (1 - {objective} / 100)"
    long, short = (_recorded(f"errors:ratio_rate{window}", slo, options) for window in (burn.long, burn.short))
    requests = _mean(_recorded("requests:rate5m", slo, options), burn.long, options)
    missed = "failed" if slo == "availability" else f"took longer than {LATENCY_THRESHOLD} s"
    return Alert(
        f"{slo.capitalize()}Burn",
        f"{_above(long, threshold)}\nand {_above(short, threshold)}\nand {requests} > {options.minimum_rate}",
        burn.severity,
        burn.hold,
        f"The error budget of {slo} burns {burn.factor} times as fast as it may",
        f"{{{{ $value | humanizePercentage }}}} of the requests of the last {burn.long} {missed}; "
        f"the objective is {objective} %. It is still so in the last {burn.short}.",
        "slo",
        {"slo": slo, "window": burn.long},
    )


def _above(ratio: str, threshold: str) -> str:
    return f"({ratio} > {threshold} or {ratio} > {NEARLY_ALL})"


def _vector(options: Options) -> str:
    """1, with the labels that the recorded series have."""
    return f'label_replace(vector(1), "namespace", "{options.namespace}", "", "")'


def _mean(series: str, window: str, options: Options) -> str:
    return f"avg_over_time({series}[{options.span(window)}])"


def _recorded(name: str, slo: str, options: Options) -> str:
    return f'{PREFIX}_{name}{{{options.recorded}, slo="{slo}"}}'


def _labels(slo: str, options: Options) -> dict[str, str]:
    return {"release": options.release, "slo": slo}
