"""What the service depends on: PostgreSQL and the connections to it, Redis, the storage of attachments."""

from collections.abc import Iterator

from .model import Alert, Group, Options

# A second: fewer than three in five minutes are a coincidence, whatever their share of few.
SINGLE = 0.01
STORAGE_OUTAGES = "timeout|unavailable|full|denied"


def groups(options: Options) -> Iterator[Group]:
    yield Group("database", [*_database(options)])
    yield Group("redis-and-storage", [*_others(options)])


def _database(options: Options) -> Iterator[Alert]:
    of, window = options.selector, options.span("5m")
    by = "namespace, pod, server_worker"
    yield Alert(
        "DbPoolSaturated",
        f'max by ({by}) (db_client_connections{{{of}, state="used"}})\n'
        f'/ (max by ({by}) (db_client_connection_max{{{of}, pool="main"}}) > 0) > 0.9\n'
        f"and max by ({by}) (db_client_connection_pending_requests{{{of}}}) > 0",
        "critical",
        "3m",
        "The database connections of {{ $labels.pod }} are used up",
        "Server worker {{ $labels.server_worker }} uses {{ $value | humanizePercentage }} of its pool; requests wait.",
        "saturation",
    )
    timeouts = f"sum by (namespace) (rate(db_client_connection_timeouts_total{{{of}}}[{window}]))"
    waits = f"sum by (namespace) (rate(db_client_connection_wait_time_seconds_count{{{of}}}[{window}]))"
    yield Alert(
        "DbPoolTimeouts",
        f"{timeouts} / ({timeouts} + {waits}) > 0.01\nand {timeouts} > {SINGLE}",
        "warning",
        "2m",
        "Requests get no database connection in time",
        "{{ $value | humanizePercentage }} of those that want a connection are refused with a 503.",
        "saturation",
    )
    duration = "db_client_operation_duration_seconds"
    by_statement = "namespace, query_name"
    yield Alert(
        "DbSlow",
        f"histogram_quantile(0.99, sum by ({by_statement}, le) (rate({duration}_bucket{{{of}}}[{window}]))) > 0.5\n"
        f"and sum by ({by_statement}) (rate({duration}_count{{{of}}}[{window}])) > 0.1",
        "warning",
        "10m",
        "{{ $labels.query_name }} is slow",
        "One in a hundred of the statement takes {{ $value | humanizeDuration }} or longer.",
        "data",
    )
    yield Alert(
        "ConnectionBudgetExceeded",
        f"sum by (namespace) (max by ({by}, pool) (db_client_connection_max{{{of}}})) > {options.connection_budget}",
        "warning",
        "5m",
        "The release may open more connections than PostgreSQL has for it",
        f"Its processes may open {{{{ $value }}}} connections together; there are {options.connection_budget}.",
        "saturation",
    )


def _others(options: Options) -> Iterator[Alert]:
    of, window = options.selector, options.span("5m")
    yield Alert(
        "RedisDegraded",
        f'max by (namespace, pod) (redis_breaker_state{{{of}, state="open"}}) == 1\n'
        f"or sum by (namespace, pod) (rate(redis_client_errors_total{{{of}}}[{window}])) > 0.1",
        "warning",
        "5m",
        "{{ $labels.pod }} does without Redis",
        "Redis does not answer it, or refuses: reads go to PostgreSQL, and limits of rates are each process's own.",
        "data",
    )
    operations = "storage_operation_duration_seconds_count"
    total = f"sum by (namespace) (rate({operations}{{{of}}}[{window}]))"
    failed = f'sum by (namespace) (rate({operations}{{{of}, error_type=~"{STORAGE_OUTAGES}"}}[{window}]))'
    yield Alert(
        "StorageFailing",
        f"{failed} / ({total} > 0) > 0.05\nand {failed} > {SINGLE}",
        "warning",
        "5m",
        "The storage of attachments fails",
        "{{ $value | humanizePercentage }} of its operations fail; uploads and downloads are told 503.",
        "data",
    )
