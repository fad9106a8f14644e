"""What must not be lost: jobs, webhooks, stock; and who may ask for it."""

from itertools import accumulate

from tests.observability.alerting import API, API_2, QUEUE_WORKER, QUEUE_WORKER_2, Case, Firing, Series, one

from .serving import OF_QUEUE_WORKER, UP
from .slo import REQUESTS, minutely

AGE, PENDING, DEAD = (
    one(name, QUEUE_WORKER, entrypoint="event")
    for name in ("jobs_oldest_age_seconds", "jobs_pending", "jobs_dead_letters")
)
# Of another queue worker, which has looked a little earlier or later.
AGE_2, DEAD_2 = (
    one(name, QUEUE_WORKER_2, entrypoint="event") for name in ("jobs_oldest_age_seconds", "jobs_dead_letters")
)
MEASURED, MEASURED_2 = (one("queue_measured_timestamp_seconds", pod) for pod in (QUEUE_WORKER, QUEUE_WORKER_2))
WEBHOOK_AGE, WEBHOOK_AGE_2 = (
    one("webhook_deliveries_oldest_age_seconds", pod) for pod in (QUEUE_WORKER, QUEUE_WORKER_2)
)
PENDING_2 = one("jobs_pending", QUEUE_WORKER_2, entrypoint="event")
PENDING_RETENTION = one("jobs_pending", QUEUE_WORKER, entrypoint="retention")
DELIVERED, RETRIED, FAILED = (
    one("webhook_deliveries_total", QUEUE_WORKER, outcome=outcome) for outcome in ("delivered", "retried", "failed")
)
DISABLED = one("webhook_endpoints_disabled_total", QUEUE_WORKER, reason="failing")
MISMATCHES, MISMATCHES_2 = (one("ledger_mismatch_levels", pod) for pod in (QUEUE_WORKER, QUEUE_WORKER_2))
CHECKED, CHECKED_2 = (one("ledger_checked_timestamp_seconds", pod) for pod in (QUEUE_WORKER, QUEUE_WORKER_2))
STARTED, STARTED_2, API_STARTED = (
    one("process_start_time_seconds", pod) for pod in (QUEUE_WORKER, QUEUE_WORKER_2, API)
)
OF_QUEUE_WORKER_2 = one("app_build_info", QUEUE_WORKER_2, component="worker", version="1.0.0", commit="a")
KEYS, KEYS_2 = (one("api_keys_last_reload_successful", API, server_worker=number) for number in ("0", "1"))
ANSWERED, UNAUTHENTICATED, FORBIDDEN = (
    one(f"{REQUESTS}_count", http_response_status_code=status) for status in ("200", "401", "403")
)

ENDPOINT_DISABLED = Firing(
    "info",
    "An endpoint of webhooks was disabled",
    "The service sends nothing more to it, since it is failing; its owner must enable it again.",
    "data",
    {"reason": "failing"},
)


def stalled(entrypoint: str, told: str) -> Firing:
    return Firing(
        "critical",
        f"Jobs of the kind {entrypoint} are not done",
        f"The first of them has waited for {told}.",
        "data",
        {"entrypoint": entrypoint},
    )


def unchecked(told: str) -> Firing:
    return Firing(
        "warning",
        "Stock was not compared with its movements",
        f"It should be each night, and was not for {told}: a mismatch would not be seen.",
        "data",
    )


def known(told: Series) -> Series:
    """By two queue workers who measure all the time."""
    return {MEASURED: "0+60x60", MEASURED_2: "0+60x60", **told}


CASES = (
    Case(
        "QueueWorkerAbsent",
        "the API is there, and no queue worker any more",
        {UP: "1x20", OF_QUEUE_WORKER: "1 1 stale"},
        "7m",
        [
            Firing(
                "critical",
                "No queue worker is seen",
                "No pod of it answers Prometheus: jobs and webhooks are not done, and nothing tells how many wait.",
                "data",
                {"component": "worker"},
            )
        ],
        not_before="6m",
    ),
    Case("QueueWorkerAbsent", "it was away for four minutes", {OF_QUEUE_WORKER: "1 stale _x3 1x20"}, "20m"),
    Case(
        "JobsStalled",
        "the first waits for more than five minutes",
        known({AGE: "300 301+60x20", AGE_2: "0x21"}),
        "6m",
        [stalled("event", "10m 1s")],
        not_before="5m",
    ),
    Case(
        "JobsStalled",
        "a webhook for a partner who is well waits for more than five minutes",
        known({WEBHOOK_AGE: "300 301+60x20", WEBHOOK_AGE_2: "0x21"}),
        "6m",
        [stalled("webhooks", "10m 1s")],
        not_before="5m",
    ),
    Case(
        "JobsStalled",
        "a webhook waits for five minutes",
        known({WEBHOOK_AGE: "300x20", WEBHOOK_AGE_2: "300x20"}),
        "20m",
    ),
    Case("JobsStalled", "the first waits for five minutes", known({AGE: "300x20", AGE_2: "300x20"}), "20m"),
    Case(
        "JobsStalled",
        "one who cannot measure any more told so, and another knows better",
        {AGE: "301x30", MEASURED: "0x30", AGE_2: "0x30", MEASURED_2: "0+60x30"},
        "30m",
    ),
    Case(
        "JobsStalled",
        "the first waits for more than five minutes, and nobody can measure any more",
        {AGE: "301x30", MEASURED: "0x30", AGE_2: "0x30", MEASURED_2: "0x30"},
        "6m",
        [stalled("event", "5m 1s")],
    ),
    Case(
        "JobsGrowing",
        "ten more each minute, and another queue worker cannot count",
        known({PENDING: "100+10x30", PENDING_2: "0x31"}),
        "16m",
        [Firing("warning", "More jobs come than are done", "260 jobs wait, and they become more.", "data")],
        not_before="15m",
    ),
    Case(
        "JobsGrowing",
        "more of one kind come than fewer of another, as one of two queue workers sees",
        known({PENDING: "100+20x30", PENDING_2: "100x30", PENDING_RETENTION: "900-10x30"}),
        "16m",
        [Firing("warning", "More jobs come than are done", "1160 jobs wait, and they become more.", "data")],
    ),
    Case("JobsGrowing", "for five minutes, and slowly fewer since then", known({PENDING: "110+40x5 305-5x20"}), "18m"),
    Case("JobsGrowing", "many, of which more are done than come", known({PENDING: "900-10x30"}), "30m"),
    Case(
        "JobsGrowing",
        "for five minutes of eight, and then fewer again, but not by as many",
        known({PENDING: " ".join(map(str, accumulate([100] + ([40] * 5 + [-20] * 3) * 5)))}),
        "30m",
        [Firing("warning", "More jobs come than are done", "700 jobs wait, and they become more.", "data")],
    ),
    Case("JobsGrowing", "more, but few", known({PENDING: "95+0.1x40"}), "40m"),
    Case(
        "QueueUnmeasured",
        "by any of two, for more than ten minutes",
        {MEASURED: "30 60x30", MEASURED_2: "30x30"},
        "14m",
        [
            Firing(
                "warning",
                "Nobody knows how many jobs wait",
                "Nobody could count them for 13m 0s: alerts about jobs and webhooks are blind.",
                "data",
            )
        ],
        not_before="13m",
    ),
    Case("QueueUnmeasured", "one of two can", {MEASURED: "30+60x40", MEASURED_2: "30x40"}, "40m"),
    Case("QueueUnmeasured", "by nobody, since there is no queue worker", {UP: "1x40"}, "40m"),
    Case(
        "DeadLetters",
        "two, of which another queue worker has read one",
        known({DEAD: "0 0 2x9", DEAD_2: "0 0 1x9"}),
        "2m",
        [
            Firing(
                "warning",
                "Jobs of the kind event were given up",
                "2 are held as dead letters until somebody replays or purges them.",
                "data",
                {"entrypoint": "event"},
            )
        ],
        not_before="1m",
    ),
    Case(
        "DeadLetters",
        "it was purged, as one of two queue workers knows",
        {DEAD: "1x30", MEASURED: "0x30", DEAD_2: "0x30", MEASURED_2: "150+60x30"},
        "5m",
    ),
    Case("DeadLetters", "it was purged", known({DEAD: "1 0x9"}), "5m"),
    Case(
        "WebhooksFailing",
        "21 in a hundred, of more than three a minute",
        {DELIVERED: minutely(2.607), RETRIED: minutely(0.66), FAILED: minutely(0.033)},
        "20m",
        [Firing("warning", "Webhooks are not taken", "21% of the attempts to deliver a webhook fail.", "data")],
        not_before="19m",
    ),
    Case("WebhooksFailing", "19 in a hundred", {DELIVERED: minutely(81), RETRIED: minutely(19)}, "30m"),
    Case("WebhooksFailing", "all, of fewer than three a minute", {RETRIED: minutely(2.85)}, "30m"),
    Case(
        "EndpointDisabled",
        "one",
        {DISABLED: "0x5 1x60"},
        "6m",
        [ENDPOINT_DISABLED],
        not_before="5m",
    ),
    Case(
        "EndpointDisabled",
        "one, three quarters of an hour ago",
        {DISABLED: "0x5 1x90"},
        "50m",
        [ENDPOINT_DISABLED],
    ),
    Case("EndpointDisabled", "one, more than an hour ago", {DISABLED: "0 1x90"}, "70m"),
    Case(
        "LedgerMismatch",
        "two levels, of which another queue worker has read one",
        known({MISMATCHES: "0 0 2x9", MISMATCHES_2: "0 0 1x9"}),
        "2m",
        [
            Firing(
                "critical",
                "Stock levels are not the sums of their movements",
                "2 levels differ: they were changed past the service, or by a defect of it.",
                "data",
            )
        ],
        not_before="1m",
    ),
    Case(
        "LedgerMismatch",
        "it was mended, as one of two queue workers knows",
        {MISMATCHES: "2x30", MEASURED: "0x30", MISMATCHES_2: "0x30", MEASURED_2: "150+60x30"},
        "5m",
    ),
    Case("LedgerMismatch", "none", known({MISMATCHES: "0x9"}), "9m"),
    Case(
        "LedgerUnchecked",
        "for two days",
        {CHECKED: "300x700", CHECKED_2: "100x700", OF_QUEUE_WORKER: "1x700", STARTED: "0x700"},
        "2905m",
        [unchecked("2d 0h 20m 0s")],
        not_before="2900m",
        step="5m",
    ),
    Case(
        "LedgerUnchecked",
        "it never was, in the two days that a queue worker runs",
        {
            CHECKED: "0x30",
            OF_QUEUE_WORKER: "1x30",
            STARTED: "-172740x30",
            OF_QUEUE_WORKER_2: "1x30",
            STARTED_2: "0x30",
            UP: "1x30",
            API_STARTED: "-900000x30",
        },
        "17m",
        [unchecked("2d 0h 16m 0s")],
        not_before="16m",
    ),
    Case(
        "LedgerUnchecked",
        "it was yesterday, and the queue worker is old",
        {CHECKED: "100x30", OF_QUEUE_WORKER: "1x30", STARTED: "-900000x30"},
        "30m",
    ),
    Case("LedgerUnchecked", "there is no queue worker", {API_STARTED: "-900000x30"}, "30m"),
    Case(
        "AuthFailures",
        "21 in a hundred, of more than six a minute",
        {ANSWERED: minutely(5.214), UNAUTHENTICATED: minutely(1.32), FORBIDDEN: minutely(0.066)},
        "10m",
        [
            Firing(
                "warning",
                "Many requests have no key that counts, or too small a scope",
                "21% of the requests are told 401 or 403.",
                "requests",
            )
        ],
        not_before="9m",
    ),
    Case("AuthFailures", "19 in a hundred", {ANSWERED: minutely(81), UNAUTHENTICATED: minutely(19)}, "20m"),
    Case("AuthFailures", "all, of fewer than six a minute", {UNAUTHENTICATED: minutely(5.7)}, "20m"),
    Case(
        "KeyFileUnreadable",
        "by one of two server workers",
        {KEYS: "1x9", KEYS_2: "1 0x9"},
        "6m",
        [
            Firing(
                "warning",
                f"{API} cannot read its API keys",
                "It goes on with those that it read last: keys that were revoked since then still count.",
                "requests",
                {"pod": API},
            )
        ],
        not_before="5m",
    ),
    Case(
        "KeyFileUnreadable",
        "for four minutes",
        {KEYS: "1 0x4 1x9", one("api_keys_last_reload_successful", API_2): "1x20"},
        "15m",
        not_before="5m",
    ),
)
