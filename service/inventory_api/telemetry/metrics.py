"""The catalogue: every metric that the service exposes, with its unit, its labels and their closed value sets.

Labels never hold a request id, a raw path, a sku or a pid. `server_worker` is added where the metrics of all server
workers are gathered (`server/metrics_gathering.py`), to every sample but the container's, and so is not named here.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

# SLO thresholds are edges: 0.25 s.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
QUERY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
JOB_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

OTHER_METHOD = "_OTHER"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER_METHOD)
NO_ROUTE = "none"
LEVELS = ("debug", "info", "warning", "error", "critical")
QUEUE_FULL, EXPORT_FAILED, SHUTDOWN = "queue_full", "export_failed", "shutdown"
CHECKS = ("database", "schema", "redis", "storage")
EXIT_REASONS = ("stopped", "wedged", "killed", "crashed", "failed")
# Of INVENTORY_RATE_LIMIT: the only limit is `default`; of several, each has the name of its unit.
RATE_LIMIT_POLICIES = ("default", "second", "minute", "hour", "day", "month", "year")

IDEMPOTENCY_RESULTS = ("executed", "replayed", "in_progress", "reused")
# Of a change of stock that somebody sold: what it came to, or why not. `refused`: by another error of the client.
REFUSALS = (
    "insufficient_stock", "item_discontinued", "conflict", "invalid_transition", "reservation_expired",
    "refused", "failed", "replayed",
)  # fmt: skip
ORDER_RESULTS = ("created", "fulfilled", "cancelled", *REFUSALS)
RESERVATION_RESULTS = ("created", "extended", "released", *REFUSALS)
# Of a file: `stored` came through the service, `signed` is to be uploaded directly and is `completed` after that.
UPLOAD_REFUSALS = (
    "content_mismatch", "payload_too_large", "unsupported_media_type", "validation_failure", "request_timeout",
    "refused", "overloaded", "aborted", "failed", "replayed",
)  # fmt: skip
UPLOAD_RESULTS = ("stored", "signed", "completed", *UPLOAD_REFUSALS)
STORAGE_OPERATIONS = ("put", "sign_upload", "sign_download", "describe", "read", "stream", "remove", "check")
# `refused`: the content was not what was said of it; `other`: as where the caller was cancelled.
STORAGE_ERRORS = ("", "timeout", "unavailable", "full", "denied", "missing", "refused", "other")
JOB_ENTRYPOINTS = ("event", "hold_sweep", "ledger_verify", "retention", "object_removal", "attachment_sweep")
# A kind that this release does not know, as after a rollback: nobody does its jobs.
OTHER_ENTRYPOINT = "other"
QUEUED_ENTRYPOINTS = (*JOB_ENTRYPOINTS, OTHER_ENTRYPOINT)
JOB_OUTCOMES = ("done", "retried", "dead", "handed_back", "failed")
WEBHOOK_OUTCOMES = ("delivered", "retried", "failed")
WEBHOOK_DISABLED = ("gone", "failing")
CACHES = ("item",)
BACKGROUND_TASK_NAMES = ("read_cache.refresh",)
BACKGROUND_TASK_RESULTS = ("done", "timeout", "unavailable", "error")
CACHE_RESULTS = ("hit", "miss", "bypass", "unavailable")

# Filled at start from what the code declares: a value set that is closed, but not written here.
ROUTES = "the templates of the application's routes, and none"
STATUSES = "the HTTP statuses that the routes document"
STATEMENTS = "the names of the SQL statements, with a + between those that are sent together"
ERROR_TYPES = "the types of errors.py"


@dataclass(frozen=True)
class Metric:
    """One entry of the catalogue. A label's values are listed, or described where the code's declarations list them."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    labels: Mapping[str, tuple[str, ...] | str] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()

    def create(self, registry: CollectorRegistry) -> Any:
        """The instrument; each series of which all values are listed here begins at 0."""
        instrument: MetricWrapperBase
        match self.kind:
            case "counter":
                instrument = Counter(self.name.removesuffix("_total"), self.help, tuple(self.labels), registry=registry)
            case "gauge":
                instrument = Gauge(self.name, self.help, tuple(self.labels), registry=registry)
            case "histogram":
                instrument = Histogram(
                    self.name, self.help, tuple(self.labels), registry=registry, buckets=self.buckets
                )
        listed = [values for values in self.labels.values() if isinstance(values, tuple)]
        if self.labels and len(listed) == len(self.labels) and self.kind != "histogram":
            for values in itertools.product(*listed):
                instrument.labels(*values)
        return instrument


REQUEST_DURATION = Metric(
    "http_server_request_duration_seconds",
    "histogram",
    "seconds",
    "Time from the first byte of a request's headers to the last byte of its response.",
    {"http_request_method": METHODS, "http_route": ROUTES, "http_response_status_code": STATUSES},
    REQUEST_BUCKETS,
)
ACTIVE_REQUESTS = Metric("http_server_active_requests", "gauge", "requests", "Requests that are being answered.")
SHED = Metric(
    "http_server_shed_total",
    "counter",
    "requests",
    "Requests that were refused because too many were being answered.",
    {"reason": ("queue_full", "queue_timeout")},
)
RATE_LIMITED = Metric(
    "http_server_rate_limited_total",
    "counter",
    "requests",
    "Requests that were refused because their principal made too many, by the limit that was exceeded.",
    {"policy": RATE_LIMIT_POLICIES},
)
EXCEPTIONS = Metric(
    "http_server_exceptions_total",
    "counter",
    "errors",
    "Answers of 500 and above, by the error that caused them.",
    {"http_route": ROUTES, "error_type": ERROR_TYPES},
)
BUILD_INFO = Metric(
    "app_build_info",
    "gauge",
    "1",
    "The release that runs; always 1.",
    {
        "version": "the version of this release",
        "commit": "the commit of this release",
        "component": ("api", "worker"),
    },
)
SERVER_WORKER_UP = Metric(
    "server_worker_up", "gauge", "1", "1 for a server worker that gave its metrics in time, else 0."
)
SERVER_WORKER_HEARTBEAT = Metric(
    "server_worker_heartbeat_timestamp_seconds",
    "gauge",
    "seconds",
    "When the server worker's event loop last turned, in seconds since 1970.",
)
SERVER_WORKER_EXITS = Metric(
    "server_worker_exits_total",
    "counter",
    "processes",
    "Server workers that have ended: asked to, silent for too long, by SIGKILL, by another signal, by an error.",
    {"reason": EXIT_REASONS},
)
SERVICE_START = Metric(
    "service_start_time_seconds",
    "gauge",
    "seconds",
    "When what the container runs began, since 1970: the supervisor, or the queue worker; once a pod. That of a server "
    "worker is process_start_time_seconds.",
)
EVENT_LOOP_LAG = Metric(
    "event_loop_lag_seconds",
    "histogram",
    "seconds",
    "How late the event loop woke a sleeper.",
    buckets=LAG_BUCKETS,
)
LOG_RECORDS = Metric("log_records_total", "counter", "lines", "Log lines written.", {"level": LEVELS})
SPANS_DROPPED = Metric(
    "otel_spans_dropped_total",
    "counter",
    "spans",
    "Sampled spans that no collector accepted.",
    {"reason": (QUEUE_FULL, EXPORT_FAILED, SHUTDOWN)},
)
API_KEYS_LOADED = Metric(
    "api_keys_last_reload_successful", "gauge", "1", "1 when the keys file was last read without an error, else 0."
)
HEALTH_CHECK = Metric(
    "health_check_up", "gauge", "1", "1 for a dependency whose check passes, else 0.", {"check": CHECKS}
)
HEALTH_READY = Metric(
    "health_ready", "gauge", "1", "1 while readiness is answered with 200, else 0, as while the process drains."
)
HEALTH_DRAINING = Metric(
    "health_draining", "gauge", "1", "1 while the process finishes what it has before it ends, else 0."
)
CGROUP_MEMORY_WORKING_SET = Metric(
    "cgroup_memory_working_set_bytes",
    "gauge",
    "bytes",
    "Memory of the container that is in use, but for file pages that were not read lately; once a pod, and not there "
    "where no control group accounts for it.",
)
CGROUP_MEMORY_LIMIT = Metric(
    "cgroup_memory_limit_bytes",
    "gauge",
    "bytes",
    "How much that may be; 0 where there is no limit.",
)
QUERY_DURATION = Metric(
    "db_client_operation_duration_seconds",
    "histogram",
    "seconds",
    "Time of one SQL statement, seen by the client.",
    {
        "query_name": STATEMENTS,
        "error_type": "empty, or the class of the SQLSTATE, or `connection`, `timeout`, `client`",
    },
    QUERY_BUCKETS,
)
CONNECTIONS = Metric(
    "db_client_connections",
    "gauge",
    "connections",
    "Connections of the pool.",
    {"pool": ("main",), "state": ("idle", "used")},
)
CONNECTIONS_MAX = Metric(
    "db_client_connection_max",
    "gauge",
    "connections",
    "The most that the pool opens: `check` is for readiness, `queue` for taking jobs; together, all of the process.",
    {"pool": ("main", "check", "queue")},
)
CONNECTIONS_PENDING = Metric(
    "db_client_connection_pending_requests", "gauge", "requests", "Waiting for a connection.", {"pool": ("main",)}
)
CONNECTION_WAIT = Metric(
    "db_client_connection_wait_time_seconds",
    "histogram",
    "seconds",
    "Time to get a connection from the pool.",
    {"pool": ("main",)},
    QUERY_BUCKETS,
)
CONNECTION_TIMEOUTS = Metric(
    "db_client_connection_timeouts_total",
    "counter",
    "timeouts",
    "Waits for a connection that ended without one.",
    {"pool": ("main",)},
)
REDIS_BREAKER_STATE = Metric(
    "redis_breaker_state",
    "gauge",
    "1",
    "1 for the state that the breaker of Redis is in; 0 for both where no Redis is configured.",
    {"state": ("closed", "open")},
)
REDIS_ERRORS = Metric(
    "redis_client_errors_total",
    "counter",
    "calls",
    "Calls of requests to Redis that failed: no answer in time, no connection, none free in the pool, or a refusal.",
    {"error_type": ("timeout", "connection", "pool", "refused")},
)
CACHE_REQUESTS = Metric(
    "cache_requests_total",
    "counter",
    "requests",
    "Reads that may be answered by what is kept in Redis; `bypass`: the client asked for what is now.",
    {"cache": CACHES, "result": CACHE_RESULTS},
)
BACKGROUND_TASKS = Metric(
    "background_tasks_total",
    "counter",
    "tasks",
    "Work behind a response that may be lost, by what became of it.",
    {"task": BACKGROUND_TASK_NAMES, "result": BACKGROUND_TASK_RESULTS},
)
IDEMPOTENCY = Metric(
    "idempotency_total",
    "counter",
    "requests",
    "Requests with an Idempotency-Key, by what became of them.",
    {"result": IDEMPOTENCY_RESULTS},
)
ORDERS = Metric(
    "orders_total",
    "counter",
    "requests",
    "Requests that create, fulfil or cancel an order, by what became of them.",
    {"result": ORDER_RESULTS},
)
RESERVATIONS = Metric(
    "reservations_total",
    "counter",
    "requests",
    "Requests that create, extend or release a reservation, by what became of them.",
    {"result": RESERVATION_RESULTS},
)
LEDGER_MISMATCHES = Metric(
    "ledger_mismatch_levels",
    "gauge",
    "levels",
    "Levels that were not the sum of their movements when that was last looked at; use max().",
)
LEDGER_CHECKED = Metric(
    "ledger_checked_timestamp_seconds",
    "gauge",
    "seconds",
    "When that was, since 1970; 0 where it never was.",
)
QUEUE_MEASURED = Metric(
    "queue_measured_timestamp_seconds",
    "gauge",
    "seconds",
    "When a queue worker last measured what waits, since 1970; its start, where it never could. Use max().",
)
QUEUE_FAILURES = Metric(
    "queue_failures_total",
    "counter",
    "failures",
    "Times that a queue worker could not go on with the queue, and began again a second later.",
)
JOBS = Metric(
    "jobs_total",
    "counter",
    "jobs",
    "Starts of jobs, by what became of them: `dead` is started no more, `handed_back` is another worker's to do, "
    "`failed` could not even be started.",
    {"entrypoint": JOB_ENTRYPOINTS, "outcome": JOB_OUTCOMES},
)
JOB_DURATION = Metric(
    "job_duration_seconds",
    "histogram",
    "seconds",
    "Time from the start of a job to its end, whatever that is.",
    {"entrypoint": JOB_ENTRYPOINTS},
    JOB_BUCKETS,
)
JOBS_PENDING = Metric(
    "jobs_pending",
    "gauge",
    "jobs",
    "Jobs that could be done now and wait; queue workers alone tell of them, each of all: use max().",
    {"entrypoint": QUEUED_ENTRYPOINTS},
)
JOBS_OLDEST_AGE = Metric(
    "jobs_oldest_age_seconds",
    "gauge",
    "seconds",
    "For how long the first of them has waited; use max().",
    {"entrypoint": QUEUED_ENTRYPOINTS},
)
JOBS_DEAD_LETTERS = Metric(
    "jobs_dead_letters",
    "gauge",
    "jobs",
    "Jobs that are started no more until somebody replays them; use max().",
    {"entrypoint": QUEUED_ENTRYPOINTS},
)

UPLOADS = Metric(
    "uploads_total",
    "counter",
    "requests",
    "Requests that upload a file, have an upload signed or complete one, by what they came to, or why not.",
    {"result": UPLOAD_RESULTS},
)
TRANSFERS = Metric(
    "content_transfers",
    "gauge",
    "requests",
    "Contents of files that are on their way in or out.",
    {"direction": ("in", "out")},
)
STORAGE_DURATION = Metric(
    "storage_operation_duration_seconds",
    "histogram",
    "seconds",
    "Time of an operation of the storage; of `stream`, until the last byte was taken.",
    {"operation": STORAGE_OPERATIONS, "error_type": STORAGE_ERRORS},
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

WEBHOOK_DELIVERIES = Metric(
    "webhook_deliveries_total",
    "counter",
    "attempts",
    "Attempts to deliver a webhook, by what came of them: `retried` is tried again, `failed` is not.",
    {"outcome": WEBHOOK_OUTCOMES},
)
WEBHOOK_ATTEMPTS = Metric(
    "webhook_attempts",
    "histogram",
    "attempts",
    "How many attempts a webhook took until it was delivered, or given up.",
    buckets=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
)
WEBHOOK_ATTEMPT_DURATION = Metric(
    "webhook_attempt_duration_seconds",
    "histogram",
    "seconds",
    "Time of one attempt, from the look-up of the name to what is read of the answer.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
WEBHOOK_DISABLED_ENDPOINTS = Metric(
    "webhook_endpoints_disabled_total",
    "counter",
    "endpoints",
    "Endpoints that were disabled because they answered 410, or took nothing for five days.",
    {"reason": WEBHOOK_DISABLED},
)
WEBHOOK_ENDPOINTS = Metric(
    "webhook_endpoints",
    "gauge",
    "endpoints",
    "Endpoints that are enabled, those of them that fail, and those that are disabled; use max().",
    {"state": ("enabled", "failing", "disabled")},
)
WEBHOOKS_PENDING = Metric(
    "webhook_deliveries_pending",
    "gauge",
    "deliveries",
    "Webhooks that are due and wait, for endpoints that are well, or that fail, are slow or are paused; use max().",
    {"endpoints": ("well", "unwell")},
)
WEBHOOKS_OLDEST_AGE = Metric(
    "webhook_deliveries_oldest_age_seconds",
    "gauge",
    "seconds",
    "For how long the first of those has waited that are for endpoints that are well; use max().",
)

CATALOGUE = (
    REQUEST_DURATION, ACTIVE_REQUESTS, SHED, RATE_LIMITED, EXCEPTIONS,
    BUILD_INFO, SERVICE_START, SERVER_WORKER_UP, SERVER_WORKER_HEARTBEAT, SERVER_WORKER_EXITS, EVENT_LOOP_LAG,
    CGROUP_MEMORY_WORKING_SET, CGROUP_MEMORY_LIMIT,
    LOG_RECORDS, SPANS_DROPPED, API_KEYS_LOADED, HEALTH_CHECK, HEALTH_READY, HEALTH_DRAINING,
    QUERY_DURATION, CONNECTIONS, CONNECTIONS_MAX, CONNECTIONS_PENDING, CONNECTION_WAIT, CONNECTION_TIMEOUTS,
    REDIS_BREAKER_STATE, REDIS_ERRORS, CACHE_REQUESTS, BACKGROUND_TASKS, IDEMPOTENCY,
    ORDERS, RESERVATIONS, LEDGER_MISMATCHES, LEDGER_CHECKED,
    QUEUE_MEASURED, QUEUE_FAILURES, JOBS, JOB_DURATION, JOBS_PENDING, JOBS_OLDEST_AGE, JOBS_DEAD_LETTERS,
    UPLOADS, TRANSFERS, STORAGE_DURATION,
    WEBHOOK_DELIVERIES, WEBHOOK_ATTEMPTS, WEBHOOK_ATTEMPT_DURATION, WEBHOOK_DISABLED_ENDPOINTS, WEBHOOK_ENDPOINTS,
    WEBHOOKS_PENDING, WEBHOOKS_OLDEST_AGE,
)  # fmt: skip


def method_label(method: str) -> str:
    """The value of `http_request_method`, which is a closed set whatever clients send."""
    return method if method in METHODS else OTHER_METHOD


class Metrics:
    """The instruments of one process, in a registry of its own; `process_*` and `python_gc_*` included."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.request_duration: Histogram = REQUEST_DURATION.create(self.registry)
        self.active_requests: Gauge = ACTIVE_REQUESTS.create(self.registry)
        self.shed: Counter = SHED.create(self.registry)
        self.rate_limited: Counter = RATE_LIMITED.create(self.registry)
        self.exceptions: Counter = EXCEPTIONS.create(self.registry)
        self.build_info: Gauge = BUILD_INFO.create(self.registry)
        self.server_worker_heartbeat: Gauge = SERVER_WORKER_HEARTBEAT.create(self.registry)
        self.event_loop_lag: Histogram = EVENT_LOOP_LAG.create(self.registry)
        self.log_records: Counter = LOG_RECORDS.create(self.registry)
        self.spans_dropped: Counter = SPANS_DROPPED.create(self.registry)
        self.api_keys_loaded: Gauge = API_KEYS_LOADED.create(self.registry)
        self.health_check: Gauge = HEALTH_CHECK.create(self.registry)
        self.health_ready: Gauge = HEALTH_READY.create(self.registry)
        self.health_draining: Gauge = HEALTH_DRAINING.create(self.registry)
        self.query_duration: Histogram = QUERY_DURATION.create(self.registry)
        self.connections: Gauge = CONNECTIONS.create(self.registry)
        self.connections_max: Gauge = CONNECTIONS_MAX.create(self.registry)
        self.connections_pending: Gauge = CONNECTIONS_PENDING.create(self.registry)
        self.connection_wait: Histogram = CONNECTION_WAIT.create(self.registry)
        self.connection_timeouts: Counter = CONNECTION_TIMEOUTS.create(self.registry)
        self.redis_breaker_state: Gauge = REDIS_BREAKER_STATE.create(self.registry)
        self.redis_errors: Counter = REDIS_ERRORS.create(self.registry)
        self.cache_requests: Counter = CACHE_REQUESTS.create(self.registry)
        self.background_tasks: Counter = BACKGROUND_TASKS.create(self.registry)
        self.idempotency: Counter = IDEMPOTENCY.create(self.registry)
        self.orders: Counter = ORDERS.create(self.registry)
        self.reservations: Counter = RESERVATIONS.create(self.registry)
        self.ledger_mismatches: Gauge = LEDGER_MISMATCHES.create(self.registry)
        self.ledger_checked: Gauge = LEDGER_CHECKED.create(self.registry)
        self.queue_measured: Gauge = QUEUE_MEASURED.create(self.registry)
        self.queue_failures: Counter = QUEUE_FAILURES.create(self.registry)
        self.jobs: Counter = JOBS.create(self.registry)
        self.job_duration: Histogram = JOB_DURATION.create(self.registry)
        self.jobs_pending: Gauge = JOBS_PENDING.create(self.registry)
        self.jobs_oldest_age: Gauge = JOBS_OLDEST_AGE.create(self.registry)
        self.jobs_dead_letters: Gauge = JOBS_DEAD_LETTERS.create(self.registry)
        self.uploads: Counter = UPLOADS.create(self.registry)
        self.transfers: Gauge = TRANSFERS.create(self.registry)
        self.storage_duration: Histogram = STORAGE_DURATION.create(self.registry)
        self.webhook_deliveries: Counter = WEBHOOK_DELIVERIES.create(self.registry)
        self.webhook_attempts: Histogram = WEBHOOK_ATTEMPTS.create(self.registry)
        self.webhook_attempt_duration: Histogram = WEBHOOK_ATTEMPT_DURATION.create(self.registry)
        self.webhook_endpoints_disabled: Counter = WEBHOOK_DISABLED_ENDPOINTS.create(self.registry)
        self.webhook_endpoints: Gauge = WEBHOOK_ENDPOINTS.create(self.registry)
        self.webhooks_pending: Gauge = WEBHOOKS_PENDING.create(self.registry)
        self.webhooks_oldest_age: Gauge = WEBHOOKS_OLDEST_AGE.create(self.registry)
