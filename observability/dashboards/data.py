"""Statements, the cache, jobs, webhooks, files, and stock."""

from collections.abc import Iterator

from .board import Board
from .explore import to_board, to_logs, to_traces
from .panels import BLUE, GREEN, ORANGE, RED, YELLOW, About, Column, Panel, Query, graph, number, rows
from .variables import PODS

RATE = "[$__rate_interval]"
# Of everything within a table, which has no time to follow.
LATELY = "[5m]"
STATEMENTS = "db_client_operation_duration_seconds"
MEASURED = f"queue_measured_timestamp_seconds{{{PODS}}}"
# More would be a hedge of lines.
MOST = 10


def board() -> Board:
    """See the module."""
    return Board(
        "data",
        "What the service does with its data, and what it does behind its answers. Each queue worker tells of all jobs "
        "and webhooks that wait.",
        [
            ("PostgreSQL", [*_statements()]),
            ("Cache and idempotency", [*_cache()]),
            ("Jobs", [*_jobs()]),
            ("Webhooks", [*_webhooks()]),
            ("Files and their storage", [*_files()]),
            ("Stock", [*_stock()]),
        ],
    )


def _statements() -> Iterator[Panel]:
    by_name = "sum by (query_name)"
    count, total, bucket = (f"rate({STATEMENTS}_{part}{{{PODS}}}{RATE})" for part in ("count", "sum", "bucket"))
    traces = [to_traces("Traces with this statement", 'name="${__field.labels.query_name}"')]
    yield graph(
        About("Statements", f"The {MOST} that are made most often, with those that are sent together.", "ops", 8),
        Query(f"topk({MOST}, {by_name} ({count}))", "{{query_name}}"),
        stacked=True,
    )
    yield graph(
        About(
            "p99 of statements",
            f"The {MOST} slowest, as the client sees them. One alone: a lock or a plan; all: the server, the network.",
            "s",
            8,
            {ORANGE: 0.1, RED: 0.5},
            data_links=traces,
            links=[to_board("Saturation", "saturation")],
        ),
        Query(f"topk({MOST}, histogram_quantile(0.99, sum by (query_name, le) ({bucket})))", "{{query_name}}"),
    )
    yield graph(
        About(
            "Time in statements",
            "Seconds of waiting for PostgreSQL in each second, that is how many connections each keeps busy. What to "
            "make faster first.",
            "short",
            8,
            data_links=traces,
        ),
        Query(f"topk({MOST}, {by_name} ({total}))", "{{query_name}}"),
        stacked=True,
    )
    failed = f'rate({STATEMENTS}_count{{{PODS}, error_type!=""}}{RATE})'
    yield graph(
        About(
            "Failures of statements",
            "By the class of the SQLSTATE: 23 is a constraint, 40 a deadlock or a conflict, 57 an administrator; "
            "connection and timeout are a server that is not there. Some of 23 are answers of 4xx.",
            "ops",
            8,
            {ORANGE: 1},
        ),
        Query(f"sum by (error_type) ({failed})", "{{error_type}}"),
        stacked=True,
    )
    yield rows(
        About(
            "All statements",
            "The last five minutes. Sort by the time they take together.",
            "none",
            16,
            base=BLUE,
        ),
        [
            Column("Rate", f"{by_name} ({count})".replace(RATE, LATELY), "ops"),
            Column("Time", f"{by_name} ({total})".replace(RATE, LATELY), "short"),
            Column("Mean", f"{by_name} ({total}) / ({by_name} ({count}) > 0)".replace(RATE, LATELY), "s"),
            Column(
                "p99",
                f"histogram_quantile(0.99, sum by (query_name, le) ({bucket}))".replace(RATE, LATELY),
                "s",
                {ORANGE: 0.1, RED: 0.5},
            ),
        ],
        {"query_name": "Statement"},
    )


def _cache() -> Iterator[Panel]:
    yield graph(
        About(
            "Reads by what the cache had",
            "unavailable is Redis; bypass is a client that asks for what is now.",
            "ops",
            8,
        ),
        Query(f"sum by (result) (rate(cache_requests_total{{{PODS}}}{RATE}))", "{{result}}"),
        stacked=True,
    )
    hits, known = (
        f'sum(rate(cache_requests_total{{{PODS}, result=~"{results}"}}{RATE}))' for results in ("hit", "hit|miss")
    )
    yield graph(
        About(
            "Part of reads that the cache answers",
            "Without bypasses. A fall without a release is many new items, or a Redis that evicts.",
            "percentunit",
            8,
            {YELLOW: 0.3, GREEN: 0.6},
            base=ORANGE,
        ),
        Query(f"{hits} / ({known} > 0)", "hits"),
        highest=1,
    )
    yield graph(
        About(
            "Work behind answers",
            "Hits that age and are loaded anew. What is not done is lost, and only makes a later read slower.",
            "ops",
            8,
        ),
        Query(f"sum by (task, result) (rate(background_tasks_total{{{PODS}}}{RATE}))", "{{task}} {{result}}"),
        stacked=True,
    )
    yield graph(
        About(
            "Idempotency keys",
            "replayed is a client that asked again, and got the same answer; in_progress asks while it is being done; "
            "reused is a defect of the client: another request by the same key.",
            "reqps",
            24,
        ),
        Query(f"sum by (result) (rate(idempotency_total{{{PODS}}}{RATE}))", "{{result}}"),
        stacked=True,
    )


def _jobs() -> Iterator[Panel]:
    yield graph(
        About(
            "Jobs that wait",
            "That could be done now. Growing: more queue workers, or what they wait for.",
            "none",
            8,
            {ORANGE: 100},
        ),
        Query(f"max by (entrypoint) (jobs_pending{{{PODS}}})", "{{entrypoint}}"),
    )
    yield graph(
        About(
            "Age of the oldest",
            "The better measure: a long queue that moves is none. A line that climbs by a second each second is a kind "
            "that nobody does.",
            "s",
            8,
            {ORANGE: 60, RED: 300},
        ),
        Query(f"max by (entrypoint) (jobs_oldest_age_seconds{{{PODS}}})", "{{entrypoint}}"),
        Query(f"min(timestamp({MEASURED}) - {MEASURED})", "since they were counted"),
    )
    yield graph(
        About(
            "Dead letters",
            "Given up, and held until somebody replays or purges them: /jobs/dead-letters tells the error of each.",
            "none",
            8,
            {RED: 1},
            data_links=[to_logs("Lines of jobs", 'level="error" | logger=~"inventory_api.jobs.*"')],
        ),
        Query(f"max by (entrypoint) (jobs_dead_letters{{{PODS}}})", "{{entrypoint}}"),
    )
    yield graph(
        About(
            "Starts of jobs, by outcome",
            "retried is tried again later; handed_back is a worker that ends; failed could not even be started.",
            "ops",
            8,
        ),
        Query(f"sum by (outcome) (rate(jobs_total{{{PODS}}}{RATE}))", "{{outcome}}"),
        stacked=True,
    )
    duration = f"rate(job_duration_seconds_bucket{{{PODS}}}{RATE})"
    yield graph(
        About("p95 of jobs", "By kind, whatever they come to.", "s", 8, {ORANGE: 30}),
        Query(f"histogram_quantile(0.95, sum by (entrypoint, le) ({duration}))", "{{entrypoint}}"),
    )
    yield graph(
        About(
            "Queue workers that began again",
            "Each time they could not go on with the queue: PostgreSQL was not there, or refused.",
            "cps",
            8,
            {ORANGE: 0.1},
        ),
        Query(f"sum by (pod) (rate(queue_failures_total{{{PODS}}}{RATE}))", "{{pod}}"),
    )


def _webhooks() -> Iterator[Panel]:
    attempts = f"rate(webhook_deliveries_total{{{PODS}}}{RATE})"
    yield graph(
        About(
            "Attempts to deliver",
            "retried is tried again, after longer and longer; failed is given up.",
            "ops",
            8,
        ),
        Query(f"sum by (outcome) ({attempts})", "{{outcome}}"),
        stacked=True,
    )
    missed = f'rate(webhook_deliveries_total{{{PODS}, outcome!="delivered"}}{RATE})'
    yield graph(
        About(
            "Attempts that fail",
            "Above 20 % for long: a partner that is down, or the way out of the cluster. /webhooks/deliveries tells.",
            "percentunit",
            8,
            {ORANGE: 0.2},
        ),
        Query(f"sum({missed}) / (sum({attempts}) > 0)", "fail"),
        highest=1,
    )
    duration = f"rate(webhook_attempt_duration_seconds_bucket{{{PODS}}}{RATE})"
    yield graph(
        About(
            "Duration of an attempt",
            "What the partners take. An attempt ends after 15 s.",
            "s",
            8,
            {ORANGE: 5},
        ),
        *(Query(f"histogram_quantile({q:g}, sum by (le) ({duration}))", f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)),
    )
    yield graph(
        About(
            "Webhooks that wait",
            "unwell: for partners that fail or are slow, which is theirs. well: for all others, and should be near 0.",
            "none",
            6,
        ),
        Query(f"max by (endpoints) (webhook_deliveries_pending{{{PODS}}})", "{{endpoints}}"),
        stacked=True,
    )
    yield graph(
        About(
            "Age of the oldest, for partners that are well",
            "They are told so late. Climbing: more queue workers, or a higher worker.webhookConcurrency.",
            "s",
            6,
            {ORANGE: 30, RED: 300},
        ),
        Query(f"max(webhook_deliveries_oldest_age_seconds{{{PODS}}})", "oldest"),
    )
    tries, ended = (f"sum(rate(webhook_attempts_{part}{{{PODS}}}{RATE}))" for part in ("sum", "count"))
    yield graph(
        About("Attempts of a webhook", "On average, until it was delivered or given up; 1 is best.", "none", 6),
        Query(f"{tries} / ({ended} > 0)", "attempts"),
    ).decimals(2)
    yield graph(
        About(
            "Endpoints",
            "A disabled one gets nothing until its owner enables it again.",
            "none",
            6,
            {ORANGE: 1},
        ),
        Query(f'max by (state) (webhook_endpoints{{{PODS}, state!="enabled"}})', "{{state}}"),
        Query(
            f"sum by (reason) (increase(webhook_endpoints_disabled_total{{{PODS}}}{RATE}))",
            "disabled, since {{reason}}",
        ),
    )


def _files() -> Iterator[Panel]:
    yield graph(
        About(
            "Uploads",
            "By what they came to. content_mismatch and unsupported_media_type are files that are not what they say.",
            "reqps",
            6,
        ),
        Query(f"sum by (result) (rate(uploads_total{{{PODS}}}{RATE}))", "{{result}}"),
        stacked=True,
    )
    yield graph(
        About("Contents on their way", "in: uploads through the service; out: downloads.", "none", 6),
        Query(f"sum by (direction) (content_transfers{{{PODS}}})", "{{direction}}"),
    )
    bucket, count = (f"rate(storage_operation_duration_seconds_{part}{{{PODS}}}{RATE})" for part in ("bucket", "count"))
    yield graph(
        About(
            "p95 of the storage", "By operation; stream lasts until the client has taken it all.", "s", 6, {ORANGE: 1}
        ),
        Query(f"histogram_quantile(0.95, sum by (operation, le) ({bucket}))", "{{operation}}"),
    )
    failed = count.replace(PODS, f'{PODS}, error_type!=""')
    yield graph(
        About(
            "Failures of the storage",
            "timeout and unavailable: it is not there; full; denied: its credentials; refused: not the content it was "
            "said to be, which is the client's.",
            "ops",
            6,
            {ORANGE: 0.1},
        ),
        Query(f"sum by (error_type) ({failed})", "{{error_type}}"),
        stacked=True,
    )


def _stock() -> Iterator[Panel]:
    for name in ("orders", "reservations"):
        yield graph(
            About(
                name.capitalize(),
                "By what they came to. insufficient_stock is business; conflict and failed are not.",
                "reqps",
                8,
            ),
            Query(f"sum by (result) (rate({name}_total{{{PODS}}}{RATE}))", "{{result}}"),
            stacked=True,
        )
    yield number(
        About(
            "Levels that are not their movements",
            "Found when the ledger was last compared. Anything but 0: stock was changed past the service.",
            "none",
            4,
            {RED: 1},
        ),
        Query(f"max(ledger_mismatch_levels{{{PODS}}})", "levels"),
    )
    yield number(
        About(
            "Ledger compared",
            "So long ago. Each night is right; after two days nobody would see a mismatch.",
            "s",
            4,
            {ORANGE: 93_600, RED: 172_800},
        ),
        Query(f"time() - max(ledger_checked_timestamp_seconds{{{PODS}}} > 0)", "ago"),
    )
