"""Burns of the error budgets: 99.9 % of requests are to be answered by less than 500, and 99 % within 0.25 s.

There are 600 requests a minute where nothing else is said.
"""

from collections.abc import Iterator

from tests.observability.alerting import (
    API,
    API_2,
    NAMESPACE,
    RELEASE,
    Arithmetic,
    Case,
    Firing,
    Series,
    histogram,
    one,
)

REQUESTS = "http_server_request_duration_seconds"
ERRORS = "http_server_exceptions_total"
ITEM = "/inventory/{sku}"
UPLOADS = ("/inventory/{sku}/attachments", "/orders/{id}/attachments", "/attachments/uploads/{id}/content")
BURNS = ("AvailabilityBurn", "LatencyBurn")
RATIO, BUDGET = "inventory_api:slo_errors:ratio_rate", "inventory_api:slo_error_budget:remaining_ratio"
FACTORS = {"1h": "14.4", "6h": "6", "1d": "3", "3d": "1"}
SHORT = {"1h": "5m", "6h": "30m", "1d": "2h", "3d": "6h"}
# In a thousand, from the first minute on: more than the window allows, and when that is told; less than that, and until
# when no longer window tells of it.
SHARES = (
    ("1h", 14.5, "2m", "3m", 14.3, "15m"),
    ("6h", 6.1, "15m", "16m", 5.9, "60m"),
    ("1d", 3.05, "60m", "61m", 2.95, "180m"),
    ("3d", 1.05, "180m", "181m", 0.95, "240m"),
)


def minutely(count: float, minutes: int = 300) -> str:
    """A counter that grows by so many each minute."""
    return f"0+{count:g}x{minutes}"


def served(requests: str, fast: str | None = None, route: str = ITEM, pod: str = API) -> Series:
    """Answered with 200; `fast` of them within the threshold, all where nothing is said."""
    return histogram(
        REQUESTS, {"0.25": fast or requests, "+Inf": requests}, pod, http_route=route, http_response_status_code="200"
    )


def failed(requests: str, route: str = ITEM, pod: str = API) -> Series:
    """Answered with 500."""
    counted = one(ERRORS, pod, http_route=route, error_type="INTERNAL_FAILURE")
    measured = histogram(
        REQUESTS, {"0.25": requests, "+Inf": requests}, pod, http_route=route, http_response_status_code="500"
    )
    return {counted: requests, **measured}


def burning(slo: str, per_mille: float) -> Series:
    missed = 600 * per_mille / 1000
    if slo == "latency":
        return served(minutely(600), minutely(600 - missed))
    return {**served(minutely(600 - missed)), **failed(minutely(missed))}


def burn(slo: str, window: str, ratio: str) -> Firing:
    missed, objective = ("failed", "99.9") if slo == "availability" else ("took longer than 0.25 s", "99")
    return Firing(
        "critical" if window in ("1h", "6h") else "warning",
        f"The error budget of {slo} burns {FACTORS[window]} times as fast as it may",
        f"{ratio} of the requests of the last {window} {missed}; the objective is {objective} %. "
        f"It is still so in the last {SHORT[window]}.",
        "slo",
        {"slo": slo, "window": window},
    )


def _burns(slo: str, times: int) -> Iterator[Case]:
    """`times`: how much larger its budget is than that of availability."""
    alert = f"{slo.capitalize()}Burn"
    for window, over, not_before, at, under, until in SHARES:
        told = burn(slo, window, f"{over * times / 10:.4g}%")
        yield Case(alert, "faster", burning(slo, over * times), at, [told], not_before, window)
        yield Case(alert, "not so fast", burning(slo, under * times), until, window=window)


def recorded(name: str, values: str) -> Series:
    return {
        f'inventory_api:slo_{name}:rate5m{{namespace="{NAMESPACE}", release="{RELEASE}", slo="availability"}}': values
    }


CASES = (
    *_burns("availability", 1),
    *_burns("latency", 10),
    *(
        Case(
            f"{slo.capitalize()}Burn",
            "few requests, and enough to judge",
            failed(minutely(6.6)) if slo == "availability" else served(minutely(6.6), "0x300"),
            "240m",
            [burn(slo, window, "100%") for window in FACTORS],
        )
        for slo in ("availability", "latency")
    ),
    Case(
        "AvailabilityBurn",
        "what ended ten minutes ago is told by longer windows alone",
        {**served("0+570x30 17700+600x9"), **failed("0+30x30 900x10")},
        "40m",
        [burn("availability", "6h", "3.882%")],
        window="1h",
    ),
)

ARITHMETIC = (
    Arithmetic(
        "fewer than six failures a minute are too few to judge",
        failed(minutely(5.7)),
        "240m",
        {f'{RATIO}1h{{slo="availability"}}': 1},
        BURNS,
    ),
    Arithmetic(
        "fewer than six slow ones are too few as well",
        served(minutely(5.7), "0x300"),
        "240m",
        {f'{RATIO}1h{{slo="latency"}}': 1},
        BURNS,
    ),
    Arithmetic(
        "without any series of errors there are none, and the whole budget is left",
        served(minutely(600)),
        "60m",
        {f'{RATIO}{window}{{slo="availability"}}': 0 for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")}
        | {f'{BUDGET}{{slo="availability"}}': 1, f'{BUDGET}{{slo="latency"}}': 1},
        BURNS,
    ),
    Arithmetic(
        "without requests nothing is recorded, and nothing fires",
        {**served("5000x300"), **failed("100x300")},
        "60m",
        {f'count({RATIO}5m{{slo="availability"}}) or vector(0)': 0},
        BURNS,
    ),
    Arithmetic(
        "the first failure of a route counts, since its series begins at 0",
        {**served(minutely(600)), **failed("0x19 1x300")},
        "20m",
        {'inventory_api:slo_errors:rate5m{slo="availability"} * 300 > bool 0.9': 1},
    ),
    Arithmetic(
        "pods that restart take no failures with them, and add none",
        {
            **served("0+597x20 0+597x20 0+597x20"),
            **failed("0+3x20 0+3x20 0+3x20"),
            **served("0+597x30 _x3 0+597x60", pod=API_2),
            **failed("0+3x30 _x3 0+3x60", pod=API_2),
        },
        "60m",
        {f'{RATIO}{window}{{slo="availability"}}': 0.005 for window in ("5m", "30m", "1h", "6h")},
    ),
    Arithmetic(
        "scrapes that are missing change no ratio",
        {**served("0+597x20 _x4 14925+597x20 _x9 32835+597x40"), **failed("0+3x20 _x4 75+3x20 _x9 165+3x40")},
        "60m",
        {f'{RATIO}{window}{{slo="availability"}}': 0.005 for window in ("5m", "30m", "1h", "6h")},
    ),
    Arithmetic(
        "requests whose routes transfer files are not counted, however they end",
        {
            **served(minutely(600)),
            **{
                series: values
                for route in UPLOADS
                for series, values in {**served(minutely(600), "0x300", route), **failed(minutely(600), route)}.items()
            },
        },
        "240m",
        {
            f'{RATIO}1h{{slo="availability"}}': 0,
            f'{RATIO}1h{{slo="latency"}}': 0,
            'inventory_api:slo_requests:rate5m{slo="availability"}': 10,
        },
        BURNS,
    ),
    Arithmetic(
        "what is refused before any route is found counts",
        {**served(minutely(540)), **failed(minutely(60), "none")},
        "10m",
        {f'{RATIO}5m{{slo="availability"}}': 0.1},
    ),
    Arithmetic(
        "a failure that is slow misses one objective, not two",
        {**served(minutely(540)), one(f"{REQUESTS}_bucket", le="0.25", http_response_status_code="504"): "0x300",
         one(f"{REQUESTS}_count", http_response_status_code="504"): minutely(60),
         one(ERRORS, error_type="DEADLINE_EXCEEDED"): minutely(60)},
        "10m",
        {f'{RATIO}5m{{slo="availability"}}': 0.1, f'{RATIO}5m{{slo="latency"}}': 0},
    ),
    Arithmetic(
        "windows are as long as they are called, and each minute weighs by its requests",
        {**recorded("requests", "10x1145 20x5"), **recorded("errors", "0x1145 8x5")},
        "5755m",
        {
            f'{RATIO}30m{{slo="availability"}}': 0.4,
            f'{RATIO}1h{{slo="availability"}}': 0.2667,
            f'{RATIO}2h{{slo="availability"}}': 0.16,
            f'{RATIO}6h{{slo="availability"}}': 0.0615,
            f'{RATIO}1d{{slo="availability"}}': 0.0163,
            f'{RATIO}3d{{slo="availability"}}': 0.0055,
        },
        step="5m",
    ),
    Arithmetic(
        "half of the failures that may be leave half of the budget",
        {**served(minutely(599.7)), **failed(minutely(0.3))},
        "60m",
        {f'{BUDGET}{{slo="availability"}}': 0.5, 'inventory_api:slo_objective:ratio{slo="latency"}': 0.99},
    ),
)  # fmt: skip
