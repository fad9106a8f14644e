"""What must not be lost: jobs, webhooks, stock; and who may ask for it."""

from collections.abc import Iterator

from .model import Alert, Group, Options
from .slo import REQUESTS

# Queue workers measure each 15 s, however short the windows are.
LATELY_SECONDS = 120


def groups(options: Options) -> Iterator[Group]:
    yield Group("jobs", [*_jobs(options)])
    yield Group("webhooks", [*_webhooks(options)])
    yield Group("stock-and-access", [*_stock(options), *_access(options)])


def _jobs(options: Options) -> Iterator[Alert]:
    of = options.selector
    yield Alert(
        "QueueWorkerAbsent",
        f'absent(app_build_info{{{of}, component="worker"}}) * {options.queue_workers} > 0',
        "critical",
        "5m",
        "No queue worker is seen",
        "No pod of it answers Prometheus: jobs and webhooks are not done, and nothing tells how many wait.",
        "data",
    )
    yield Alert(
        "JobsStalled",
        f"max by (namespace, entrypoint) ({_measured('jobs_oldest_age_seconds', of)}) > {options.seconds('5m'):g}\n"
        "or label_replace("
        f"max by (namespace) ({_measured('webhook_deliveries_oldest_age_seconds', of)}), "
        f'"entrypoint", "webhooks", "", "") > {options.seconds("5m"):g}',
        "critical",
        "5m",
        "Jobs of the kind {{ $labels.entrypoint }} are not done",
        "The first of them has waited for {{ $value | humanizeDuration }}.",
        "data",
    )
    pending = f"sum by (namespace) (max by (namespace, entrypoint) ({_measured('jobs_pending', of)}))"
    yield Alert(
        "JobsGrowing",
        f"{pending} > 100\nand deriv({pending}[{options.span('10m')}:{options.span('1m')}]) > 0",
        "warning",
        "15m",
        "More jobs come than are done",
        "{{ $value }} jobs wait, and they become more.",
        "data",
    )
    measured = f"max by (namespace) (queue_measured_timestamp_seconds{{{of}}} > 0)"
    yield Alert(
        "QueueUnmeasured",
        f"time() - {measured} > {options.seconds('10m'):g}",
        "warning",
        "2m",
        "Nobody knows how many jobs wait",
        "Nobody could count them for {{ $value | humanizeDuration }}: alerts about jobs and webhooks are blind.",
        "data",
    )
    yield Alert(
        "DeadLetters",
        f"max by (namespace, entrypoint) ({_measured('jobs_dead_letters', of)}) > 0",
        "warning",
        "0s",
        "Jobs of the kind {{ $labels.entrypoint }} were given up",
        "{{ $value }} are held as dead letters until somebody replays or purges them.",
        "data",
    )


def _webhooks(options: Options) -> Iterator[Alert]:
    of, window = options.selector, options.span("5m")
    total = f"sum by (namespace) (rate(webhook_deliveries_total{{{of}}}[{window}]))"
    failed = f'sum by (namespace) (rate(webhook_deliveries_total{{{of}, outcome!="delivered"}}[{window}]))'
    yield Alert(
        "WebhooksFailing",
        f"{failed} / {total} > 0.2\nand {total} > 0.05",
        "warning",
        "15m",
        "Webhooks are not taken",
        "{{ $value | humanizePercentage }} of the attempts to deliver a webhook fail.",
        "data",
    )
    yield Alert(
        "EndpointDisabled",
        f"sum by (namespace, reason) (increase(webhook_endpoints_disabled_total{{{of}}}[{options.span('1h')}])) > 0",
        "info",
        "0s",
        "An endpoint of webhooks was disabled",
        "The service sends nothing more to it, since it is {{ $labels.reason }}; its owner must enable it again.",
        "data",
    )


def _stock(options: Options) -> Iterator[Alert]:
    of = options.selector
    yield Alert(
        "LedgerMismatch",
        f"max by (namespace) ({_measured('ledger_mismatch_levels', of)}) > 0",
        "critical",
        "0s",
        "Stock levels are not the sums of their movements",
        "{{ $value }} levels differ: they were changed past the service, or by a defect of it.",
        "data",
    )
    checked = f"max by (namespace) (ledger_checked_timestamp_seconds{{{of}}} > 0)"
    queue_worker = f'app_build_info{{{of}, component="worker"}}'
    started = f"min by (namespace) (process_start_time_seconds{{{of}}} and on (namespace, pod) {queue_worker})"
    yield Alert(
        "LedgerUnchecked",
        f"time() - ({checked} or {started}) > {options.seconds('2d'):g}",
        "warning",
        "15m",
        "Stock was not compared with its movements",
        "It should be each night, and was not for {{ $value | humanizeDuration }}: a mismatch would not be seen.",
        "data",
    )


def _measured(gauge: str, of: str) -> str:
    """By those queue workers who measured not much before the last: who cannot any more tells what was so then."""
    when = f"queue_measured_timestamp_seconds{{{of}}}"
    lately = f"{when} > on (namespace) group_left () (max by (namespace) ({when}) - {LATELY_SECONDS})"
    return f"{gauge}{{{of}}} and on (namespace, pod) ({lately})"


def _access(options: Options) -> Iterator[Alert]:
    of, window = options.selector, options.span("5m")
    total = f"sum by (namespace) (rate({REQUESTS}_count{{{of}}}[{window}]))"
    refused = f'sum by (namespace) (rate({REQUESTS}_count{{{of}, http_response_status_code=~"401|403"}}[{window}]))'
    yield Alert(
        "AuthFailures",
        f"{refused} / {total} > 0.2\nand {total} > {options.minimum_rate}",
        "warning",
        "5m",
        "Many requests have no key that counts, or too small a scope",
        "{{ $value | humanizePercentage }} of the requests are told 401 or 403.",
        "requests",
    )
    yield Alert(
        "KeyFileUnreadable",
        f"min by (namespace, pod) (api_keys_last_reload_successful{{{of}}}) == 0",
        "warning",
        "5m",
        "{{ $labels.pod }} cannot read its API keys",
        "It goes on with those that it read last: keys that were revoked since then still count.",
        "requests",
    )
