"""PostgreSQL and the connections to it, Redis, the storage of attachments."""

from tests.observability.alerting import API, API_2, Case, Firing, histogram, one

from .slo import minutely

USED = one("db_client_connections", pool="main", state="used", server_worker="1")
PENDING = one("db_client_connection_pending_requests", pool="main", server_worker="1")
MOST = "db_client_connection_max"
OF_MAIN, OF_CHECK = (one(MOST, pool=pool, server_worker="1") for pool in ("main", "check"))
TIMEOUTS = one("db_client_connection_timeouts_total", pool="main")
WAITS = one("db_client_connection_wait_time_seconds_count", pool="main")
STATEMENT, STORAGE = "db_client_operation_duration_seconds", "storage_operation_duration_seconds_count"
BREAKER_0, BREAKER_1 = (one("redis_breaker_state", state="open", server_worker=number) for number in ("0", "1"))
BREAKER, REDIS_ERRORS = one("redis_breaker_state", state="open"), "redis_client_errors_total"
WITHOUT_REDIS = Firing(
    "warning",
    f"{API} does without Redis",
    "Redis does not answer it, or refuses: reads go to PostgreSQL, and limits of rates are each process's own.",
    "data",
    {"pod": API},
)
STORAGE_FAILS = "The storage of attachments fails"


def pools(size: int) -> dict[str, str]:
    """Of two pods with two server workers each."""
    workers = [(pod, number) for pod in (API, API_2) for number in ("0", "1")]
    return {
        one(MOST, pod, pool=pool, server_worker=number): f"{most}x20"
        for pod, number in workers
        for pool, most in (("main", size), ("check", 1), ("queue", 0))
    }


def statement(fast: float, total: float) -> dict[str, str]:
    """So many a minute, those that are not fast take up to a second."""
    edges = {"0.5": minutely(fast), "1.0": minutely(total), "+Inf": minutely(total)}
    return histogram(STATEMENT, edges, query_name="select_item", error_type="")


CASES = (
    Case(
        "DbPoolSaturated",
        "46 of 50 are used, and one waits",
        {USED: "45 46x9", OF_MAIN: "50x9", OF_CHECK: "1x9", PENDING: "1x9"},
        "4m",
        [
            Firing(
                "critical",
                f"The database connections of {API} are used up",
                "Server worker 1 uses 92% of its pool; requests wait.",
                "saturation",
                {"pod": API, "server_worker": "1"},
            )
        ],
        not_before="3m",
    ),
    Case("DbPoolSaturated", "all are used, and nobody waits", {USED: "8x20", OF_MAIN: "8x20", PENDING: "0x20"}, "20m"),
    Case(
        "DbPoolSaturated",
        "one waits for no more than its turn",
        {USED: "7x20", OF_MAIN: "8x20", PENDING: "1x20"},
        "20m",
    ),
    Case(
        "DbPoolSaturated",
        "most are idle, and one waits for its turn",
        {
            USED: "4x20",
            one("db_client_connections", pool="main", state="idle", server_worker="1"): "46x20",
            OF_MAIN: "50x20",
            PENDING: "1x20",
        },
        "20m",
    ),
    Case(
        "DbPoolSaturated",
        "the pool for jobs is larger than that of requests, which are used up",
        {USED: "8x9", OF_MAIN: "8x9", one(MOST, pool="queue", server_worker="1"): "20x9", PENDING: "1x9"},
        "4m",
        [
            Firing(
                "critical",
                f"The database connections of {API} are used up",
                "Server worker 1 uses 100% of its pool; requests wait.",
                "saturation",
                {"pod": API, "server_worker": "1"},
            )
        ],
    ),
    Case(
        "DbPoolTimeouts",
        "seven in ten minutes, by two pods together",
        {
            series: minutely(count)
            for pod in (API, API_2)
            for series, count in {
                one("db_client_connection_timeouts_total", pod, pool="main"): 0.35,
                one("db_client_connection_wait_time_seconds_count", pod, pool="main"): 24.65,
            }.items()
        },
        "12m",
        [
            Firing(
                "warning",
                "Requests get no database connection in time",
                "1.4% of those that want a connection are refused with a 503.",
                "saturation",
            )
        ],
    ),
    Case("DbPoolTimeouts", "five and a half in ten minutes", {TIMEOUTS: minutely(0.55), WAITS: minutely(9.45)}, "20m"),
    Case(
        "DbPoolTimeouts",
        "21 in two thousand",
        {TIMEOUTS: minutely(2.1), WAITS: minutely(197.9)},
        "4m",
        [
            Firing(
                "warning",
                "Requests get no database connection in time",
                "1.05% of those that want a connection are refused with a 503.",
                "saturation",
            )
        ],
        not_before="3m",
    ),
    Case("DbPoolTimeouts", "nine in a thousand", {TIMEOUTS: minutely(0.9), WAITS: minutely(99.1)}, "20m"),
    Case("DbPoolTimeouts", "one of sixty", {TIMEOUTS: "0x9 1x20", WAITS: "0+12x30"}, "20m"),
    Case("DbPoolTimeouts", "nobody asks", {TIMEOUTS: "5x20", WAITS: "5x20"}, "20m"),
    Case(
        "DbSlow",
        "eleven in a thousand take up to a second",
        statement(6.5274, 6.6),
        "15m",
        [
            Firing(
                "warning",
                "select_item is slow",
                "One in a hundred of the statement takes 545.5ms or longer.",
                "data",
                {"query_name": "select_item"},
            )
        ],
        not_before="14m",
    ),
    Case("DbSlow", "nine in a thousand take up to a second", statement(99.1, 100), "30m"),
    Case("DbSlow", "a statement of which there are few", statement(1, 5.7), "30m"),
    Case(
        "ConnectionBudgetExceeded",
        "4 x (22 + 1) = 92 of 90",
        pools(22),
        "5m",
        [
            Firing(
                "warning",
                "The release may open more connections than PostgreSQL has for it",
                "Its processes may open 92 connections together; there are 90.",
                "saturation",
            )
        ],
        not_before="4m",
    ),
    Case("ConnectionBudgetExceeded", "4 x (21 + 1) = 88 of 90", pools(21), "20m"),
    Case("RedisDegraded", "the breaker is open", {BREAKER: "0 1x9"}, "6m", [WITHOUT_REDIS], "5m"),
    Case(
        "RedisDegraded",
        "that of one server worker is open, and another's closed",
        {BREAKER_0: "0x9", BREAKER_1: "1x9"},
        "5m",
        [WITHOUT_REDIS],
    ),
    Case("RedisDegraded", "those of both are open", {BREAKER_0: "1x9", BREAKER_1: "1x9"}, "5m", [WITHOUT_REDIS]),
    Case(
        "RedisDegraded",
        "thirteen refusals in two minutes",
        {BREAKER: "0x9", one(REDIS_ERRORS, error_type="refused"): minutely(6.5)},
        "10m",
        [WITHOUT_REDIS],
        not_before="9m",
    ),
    Case(
        "RedisDegraded",
        "seven a minute, of two kinds",
        {one(REDIS_ERRORS, error_type=kind): minutely(3.5) for kind in ("timeout", "refused")},
        "10m",
        [WITHOUT_REDIS],
    ),
    Case(
        "RedisDegraded",
        "the breaker is closed",
        {BREAKER: "0x20", one("redis_breaker_state", state="closed"): "1x20"},
        "20m",
    ),
    Case(
        "RedisDegraded",
        "eleven time-outs in two minutes",
        {BREAKER: "0x20", one(REDIS_ERRORS, error_type="timeout"): minutely(5.5)},
        "20m",
    ),
    Case(
        "StorageFailing",
        "53 in a thousand",
        {
            one(STORAGE, operation="put", error_type="timeout"): minutely(1.3),
            one(STORAGE, operation="stream", error_type="unavailable"): minutely(1),
            one(STORAGE, operation="put", error_type="full"): minutely(1.5),
            one(STORAGE, operation="read", error_type="denied"): minutely(1.5),
            one(STORAGE, operation="put", error_type=""): minutely(94.7),
        },
        "6m",
        [
            Firing(
                "warning",
                STORAGE_FAILS,
                "5.3% of its operations fail; uploads and downloads are told 503.",
                "data",
            )
        ],
        not_before="5m",
    ),
    *(
        Case(
            "StorageFailing",
            f"seven in ten minutes, all of them {error}",
            {
                one(STORAGE, operation="put", error_type=error): minutely(0.7),
                one(STORAGE, operation="put", error_type=""): minutely(9.3),
            },
            "12m",
            [
                Firing(
                    "warning", STORAGE_FAILS, "7% of its operations fail; uploads and downloads are told 503.", "data"
                )
            ],
        )
        for error in ("timeout", "unavailable", "full", "denied")
    ),
    Case(
        "StorageFailing",
        "five and a half in ten minutes, and many that are missing",
        {
            one(STORAGE, operation="put", error_type="timeout"): minutely(0.55),
            one(STORAGE, operation="describe", error_type="missing"): minutely(1),
            one(STORAGE, operation="put", error_type=""): minutely(3.45),
        },
        "20m",
    ),
    Case(
        "StorageFailing",
        "two, some minutes apart, of few",
        {
            one(STORAGE, operation="put", error_type="timeout"): "0x5 1x4 2x20",
            one(STORAGE, operation="put", error_type=""): "0+1x30",
        },
        "25m",
    ),
    Case(
        "StorageFailing",
        "47 in a thousand, and much that is missing or was refused",
        {
            one(STORAGE, operation="put", error_type="full"): minutely(4.7),
            one(STORAGE, operation="describe", error_type="missing"): minutely(40),
            one(STORAGE, operation="put", error_type="refused"): minutely(40),
            one(STORAGE, operation="put", error_type=""): minutely(15.3),
        },
        "20m",
    ),
)
