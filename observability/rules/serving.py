"""Whether the service is there, and whether its processes can do their work."""

from collections.abc import Iterator

from .model import Alert, Group, Options
from .slo import REQUESTS


def groups(options: Options) -> Iterator[Group]:
    yield Group("targets", [*_targets(options)])
    yield Group("processes", [*_processes(options)])


def _targets(options: Options) -> Iterator[Alert]:
    of = options.selector
    yield Alert(
        "Absent",
        f'absent(app_build_info{{{of}, component="api"}})',
        "critical",
        "5m",
        "No pod of the API is seen",
        "No pod of it answers Prometheus: all are gone, or not reached, or not looked for.",
        "slo",
    )
    known = f"count by (namespace) (up{{{of}}})"
    yield Alert(
        "TargetDown",
        f"count by (namespace) (up{{{of}}} == 0) / {known} > 0.1\n"
        # Or one that does not come up at all, which in a large release is less than that.
        f"or count by (namespace) (max_over_time(up{{{of}}}[{options.span('10m')}]) == 0 and up{{{of}}}) / {known}",
        "warning",
        "10m",
        "Pods of the release do not answer Prometheus",
        "{{ $value | humanizePercentage }} of the pods that Prometheus knows give it no metrics.",
        "telemetry",
    )
    behind = (
        f'(min by (namespace, pod) (health_check_up{{{of}, check="schema"}}) == 0\n'
        f'and on (namespace, pod) min by (namespace, pod) (health_check_up{{{of}, check="database"}}) == 1)'
    )
    yield Alert(
        "ProbeFailing",
        # To drain is no fault, however long it may take. Who waits for a migration is none for as long as SchemaBehind
        # gives it.
        f"min by (namespace, pod) (health_ready{{{of}}} unless health_draining{{{of}}} == 1) == 0\n"
        f"unless on (namespace, pod) {behind}",
        "critical",
        "2m",
        "{{ $labels.pod }} is not ready",
        "A dependency that the pod needs has failed for it, or its process was never ready; it gets no requests.",
        "saturation",
    )
    before = f"sum by (namespace) (rate({REQUESTS}_count{{{of}}}[{options.span('15m')}] offset {options.span('1d')}))"
    now = f"sum by (namespace) (rate({REQUESTS}_count{{{of}}}[{options.span('15m')}]))"
    yield Alert(
        "NoTraffic",
        f"{before} > {options.minimum_rate}\nunless {now} > 0",
        "warning",
        "15m",
        "No requests, where there were some a day ago",
        "A day ago there were {{ $value | humanize }} requests/s; now there are none, and the service is there.",
        "requests",
    )
    yield Alert(
        "VersionSkew",
        f"count by (namespace) (count by (namespace, version, commit) (app_build_info{{{of}}})) > 1",
        "info",
        "30m",
        "Several versions run at once",
        "{{ $value }} versions run; a rollout has not come to its end.",
        "releases",
    )
    yield Alert(
        "SchemaBehind",
        behind,
        "critical",
        "5m",
        "{{ $labels.pod }} waits for a migration",
        "The database answers, and its schema is older than the release needs: unready until it was migrated.",
        "releases",
    )


def _processes(options: Options) -> Iterator[Alert]:
    of = options.selector
    by = "namespace, pod, server_worker"
    beat = f"server_worker_heartbeat_timestamp_seconds{{{of}}}"
    yield Alert(
        "ServerWorkerDown",
        f"max by ({by}) (server_worker_up{{{of}}}) == 0\n"
        # By the time of the scrape, whose age says nothing of the server worker.
        f"or max by ({by}) (timestamp({beat}) - {beat}) > 30",
        "critical",
        "1m",
        "A server worker of {{ $labels.pod }} stands still",
        "Server worker {{ $labels.server_worker }} gives no metrics, or its event loop has not turned for 30 s.",
        "saturation",
    )
    yield Alert(
        "CrashLooping",
        # As it was at some time of the last half hour, so that one that ends each 25 minutes is told of once.
        f"max by (namespace, pod) (max_over_time(changes(service_start_time_seconds{{{of}}}[{options.span('1h')}])"
        f"[{options.span('30m')}:{options.span('1m')}])) > 2\n"
        # Those that there are still.
        f"and on (namespace, pod) up{{{of}}}",
        "critical",
        "0s",
        "{{ $labels.pod }} ends and begins again and again",
        "Its container has begun anew {{ $value }} times within an hour; while it is not there, the others serve.",
        "saturation",
    )
    # What an increase extrapolates of three is less than that.
    yield Alert(
        "ServerWorkerChurn",
        "sum by (namespace, pod) "
        f'(increase(server_worker_exits_total{{{of}, reason!="stopped"}}[{options.span("10m")}])) > 3.5',
        "warning",
        "0s",
        "Server workers of {{ $labels.pod }} end again and again",
        "{{ $value | humanize }} server workers ended unasked in ten minutes.",
        "saturation",
    )
    yield Alert(
        "EventLoopLag",
        f"histogram_quantile(0.99, sum by ({by}, le) "
        f"(rate(event_loop_lag_seconds_bucket{{{of}}}[{options.span('5m')}]))) > 0.25",
        "warning",
        "5m",
        "An event loop of {{ $labels.pod }} is late",
        "Server worker {{ $labels.server_worker }}: one wake-up in 100 is late by {{ $value | humanizeDuration }}.",
        "saturation",
    )
    yield Alert(
        "MemoryNearLimit",
        f"max by (namespace, pod) (cgroup_memory_working_set_bytes{{{of}}})\n"
        f"/ (max by (namespace, pod) (cgroup_memory_limit_bytes{{{of}}}) > 0) > 0.9",
        "warning",
        "10m",
        "{{ $labels.pod }} is near its memory limit",
        "It uses {{ $value | humanizePercentage }} of its limit; at the limit the kernel kills its processes.",
        "saturation",
    )
    yield Alert(
        "DescriptorsExhausted",
        f"max by ({by}) (process_open_fds{{{of}}} / process_max_fds{{{of}}}) > 0.8",
        "warning",
        "10m",
        "{{ $labels.pod }} runs out of file descriptors",
        "Server worker {{ $labels.server_worker }} uses {{ $value | humanizePercentage }} of its file descriptors.",
        "saturation",
    )
