"""How requests and failures become ratios, and ratios what is left of the budget."""

from tests.observability.alerting import API_2, Arithmetic, one

from .slo import ERRORS, REQUESTS, failed, minutely, recorded, served

UPLOADS = ("/inventory/{sku}/attachments", "/orders/{id}/attachments", "/attachments/uploads/{id}/content")
BURNS = ("AvailabilityBurn", "LatencyBurn")
RATIO, BUDGET = "inventory_api:slo_errors:ratio_rate", "inventory_api:slo_error_budget:remaining_ratio"

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
        "a pod that begins in an outage fails all of its requests, and not more",
        failed("_x4 600+10x20", counted="0x4 600+10x20"),
        "7m",
        {f'{RATIO}5m{{slo="availability"}}': 1, f'{BUDGET}{{slo="availability"}}': 1 - 1 / 0.001},
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
        {**recorded("requests", "10x381 20x1"), **recorded("errors", "0x381 8x1")},
        "5745m",
        {
            f'{RATIO}30m{{slo="availability"}}': 0.4,
            f'{RATIO}1h{{slo="availability"}}': 0.2667,
            f'{RATIO}2h{{slo="availability"}}': 0.16,
            f'{RATIO}6h{{slo="availability"}}': 0.0615,
            f'{RATIO}1d{{slo="availability"}}': 0.0163,
            f'{RATIO}3d{{slo="availability"}}': 0.0055,
        },
        step="15m",
    ),
    Arithmetic(
        "half of the failures that may be leave half of the budget",
        {**served(minutely(599.7)), **failed(minutely(0.3))},
        "60m",
        {f'{BUDGET}{{slo="availability"}}': 0.5, 'inventory_api:slo_objective:ratio{slo="latency"}': 0.99},
    ),
)  # fmt: skip
