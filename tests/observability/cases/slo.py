"""Burns of the error budgets: 99.9 % of requests are to be answered by less than 500, and 99 % within 0.25 s.

There are 600 requests a minute where nothing else is said.
"""

from collections.abc import Iterator

from tests.observability.alerting import (
    API,
    NAMESPACE,
    RELEASE,
    Case,
    Firing,
    Series,
    histogram,
    one,
)

REQUESTS = "http_server_request_duration_seconds"
ERRORS = "http_server_exceptions_total"
ITEM = "/inventory/{sku}"
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

# More errors/s than a window allows, for a short time of the long one.
SPIKES = (
    ("1h", "5m", "0x11 0.5x1", "65m"),
    ("6h", "5m", "0x71 0.2x6", "390m"),
    ("1d", "15m", "0x95 0.05x10", "1590m"),
    ("3d", "15m", "0x287 0.05x37", "4875m"),
)
# More for long, and then none; with what longer windows still tell.
ENDED = (
    ("1h", "0.5x6 0x2", "45m", "3.5%", ("6h",)),
    ("6h", "0.2x36 0x8", "225m", "1.609%", ("1d", "3d")),
    ("1d", "0.05x120 0x24", "725m", "0.4144%", ("3d",)),
    ("3d", "0.05x120 0x72", "965m", "", ()),
)


def minutely(count: float, minutes: int = 300) -> str:
    """A counter that grows by so many each minute."""
    return f"0+{count:g}x{minutes}"


def served(requests: str, fast: str | None = None, route: str = ITEM, pod: str = API) -> Series:
    """Answered with 200; `fast` of them within the threshold, all where nothing is said."""
    return histogram(
        REQUESTS, {"0.25": fast or requests, "+Inf": requests}, pod, http_route=route, http_response_status_code="200"
    )


def failed(requests: str, route: str = ITEM, pod: str = API, *, counted: str | None = None) -> Series:
    """Answered with 500; `counted`: as failures, where that is another course."""
    measured = histogram(
        REQUESTS, {"0.25": requests, "+Inf": requests}, pod, http_route=route, http_response_status_code="500"
    )
    return {one(ERRORS, pod, http_route=route, error_type="INTERNAL_FAILURE"): counted or requests, **measured}


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


def _recently(errors: str) -> Series:
    """Of ten requests/s so many errors/s, as they would have been recorded."""
    return {**recorded("requests", "10x1000"), **recorded("errors", errors)}


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
    *(
        Case("AvailabilityBurn", "it has only just begun", _recently(errors), at, window=window, step=step)
        for window, step, errors, at in SPIKES
    ),
    *(
        Case(
            "AvailabilityBurn",
            "it is over, as the shorter one of its two windows says",
            _recently(errors),
            at,
            [burn("availability", other, ratio) for other in others],
            window=window,
            step="5m",
        )
        for window, errors, at, ratio, others in ENDED
    ),
)
