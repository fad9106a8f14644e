"""Whether the service is there, and whether its processes can do their work."""

from tests.observability.alerting import API, API_2, QUEUE_WORKER, Case, Firing, histogram, one

from .slo import minutely, served

UP = one("app_build_info", component="api", version="1.0.0", commit="a")
UP_2 = one("app_build_info", API_2, component="api", version="1.0.0", commit="a")
OF_QUEUE_WORKER = one("app_build_info", QUEUE_WORKER, component="worker", version="1.0.0", commit="a")
TEN_PODS = [f"shop-inventory-api-5d9c7b8f6d-aaaa{number}" for number in range(10)]
LAG, EXITS = "event_loop_lag_seconds", "server_worker_exits_total"
WORKING_SET, LIMIT = "cgroup_memory_working_set_bytes", "cgroup_memory_limit_bytes"
AWAY: tuple[tuple[str, dict[str, str]], ...] = (
    ("health_ready", {}),
    ("health_check_up", {"check": "schema"}),
    ("health_check_up", {"check": "database"}),
)


def unheard(share: str) -> Firing:
    return Firing(
        "warning",
        "Pods of the release do not answer Prometheus",
        f"{share} of the pods that Prometheus knows give it no metrics.",
        "telemetry",
    )


def unready(pod: str) -> Firing:
    return Firing(
        "critical",
        f"{pod} is not ready",
        "A dependency that the pod needs has failed for it, or its process was never ready; it gets no requests.",
        "saturation",
        {"pod": pod},
    )


def waits(pod: str) -> Firing:
    return Firing(
        "critical",
        f"{pod} waits for a migration",
        "The database answers, and its schema is older than the release needs: unready until it was migrated.",
        "releases",
        {"pod": pod},
    )


def checked(pod: str = API, /, **results: str) -> dict[str, str]:
    """A pod that is not ready; of each check what its server workers find, such as `10`."""
    return {
        one("health_ready", pod): "0x20",
        **{
            one("health_check_up", pod, check=check, server_worker=str(number)): f"{up}x20"
            for check, found in results.items()
            for number, up in enumerate(found)
        },
    }


UP_OF = one("up")
LOOPING = Firing(
    "critical",
    f"{API} ends and begins again and again",
    "Its container has begun anew 3 times within an hour; while it is not there, the others serve.",
    "saturation",
    {"pod": API},
)

CASES = (
    Case(
        "Absent",
        "the last pod of the API is gone",
        {UP: "1 1 stale", OF_QUEUE_WORKER: "1x20"},
        "7m",
        [
            Firing(
                "critical",
                "No pod of the API is seen",
                "No pod of it answers Prometheus: all are gone, or not reached, or not looked for.",
                "slo",
                {"component": "api"},
            )
        ],
        not_before="6m",
    ),
    Case("Absent", "one pod is gone, and another is there", {UP: "1 1 stale", UP_2: "1x20"}, "20m"),
    Case("Absent", "it was away for four minutes", {UP: "1 stale _x3 1x20"}, "20m"),
    Case(
        "TargetDown",
        "one of nine",
        {one("up", pod): "1 0x20" if pod == TEN_PODS[0] else "1x21" for pod in TEN_PODS[:9]},
        "11m",
        [unheard("11.11%")],
        not_before="10m",
    ),
    Case(
        "TargetDown",
        "one of ten, for a quarter of an hour",
        {one("up", pod): "1 0x15 1x20" if pod == TEN_PODS[0] else "1x36" for pod in TEN_PODS},
        "30m",
        not_before="15m",
    ),
    Case(
        "TargetDown",
        "one of ten, which has never answered",
        {one("up", pod): "0x20" if pod == TEN_PODS[0] else "1x20" for pod in TEN_PODS},
        "11m",
        [unheard("10%")],
        not_before="9m",
    ),
    Case(
        "TargetDown",
        "one of ten, which is gone since then",
        {one("up", pod): "0x8 stale" if pod == TEN_PODS[0] else "1x30" for pod in TEN_PODS},
        "20m",
    ),
    Case(
        "ProbeFailing",
        "it drains for five minutes",
        {one("health_ready"): "1 0x6", one("health_draining"): "0 1x6"},
        "6m",
    ),
    Case(
        "ProbeFailing",
        "one of two server workers drains, and the other is not ready",
        {
            **{one("health_ready", server_worker=number): "0x9" for number in ("0", "1")},
            one("health_draining", server_worker="0"): "1x9",
            one("health_draining", server_worker="1"): "0x9",
        },
        "3m",
        [unready(API)],
    ),
    Case(
        "ProbeFailing",
        "one of two server workers",
        {one("health_ready", server_worker="0"): "1x10", one("health_ready", server_worker="1"): "1 0x10"},
        "3m",
        [unready(API)],
        not_before="2m",
    ),
    Case(
        "ProbeFailing",
        "the database is away, and so its schema is not known",
        {one(name, **labels): "1 0x10" for name, labels in AWAY},
        "3m",
        [unready(API)],
        not_before="2m",
    ),
    Case("ProbeFailing", "it waits for a migration", checked(schema="0", database="1"), "20m"),
    Case("ProbeFailing", "one of two server workers waits for one", checked(schema="10", database="11"), "20m"),
    Case("ProbeFailing", "one of two does not reach the database", checked(schema="00", database="10"), "3m",
         [unready(API)]),
    Case("ProbeFailing", "the schema is right, and Redis is away", checked(schema="1", database="1", redis="0"), "3m",
         [unready(API)]),
    Case(
        "ProbeFailing",
        "one pod waits for a migration, and another has no database",
        {**checked(API, schema="0", database="1"), **checked(API_2, schema="0", database="0")},
        "3m",
        [unready(API_2)],
    ),
    Case("ProbeFailing", "for a minute, and again", {one("health_ready"): "1 0 0 1 0 0 1 1"}, "6m", not_before="3m"),
    Case(
        "NoTraffic",
        "there was some a day ago",
        {**served("0+16.5x12 198x300"), **served("0+16.5x12 198x300", pod=API_2)},
        "1470m",
        [
            Firing(
                "warning",
                "No requests, where there were some a day ago",
                "A day ago there were 110m requests/s; now there are none, and the service is there.",
                "requests",
            )
        ],
        not_before="1465m",
        step="5m",
    ),
    Case("NoTraffic", "a little is left", served("0+3000x12 36000x270 36001+1x30"), "1470m", step="5m"),
    Case("NoTraffic", "there was almost none a day ago", served("0+28x12 336x300"), "1470m", step="5m"),
    *(
        Case(
            "VersionSkew",
            f"another {what} beside the first",
            {UP: "1x40", one("app_build_info", API_2, component="api", **other): "_ 1x40"},
            "31m",
            [
                Firing(
                    "info",
                    "Several versions run at once",
                    "2 versions run; a rollout has not come to its end.",
                    "releases",
                )
            ],
            not_before="30m",
        )
        for what, other in {
            "version": {"version": "1.1.0", "commit": "a"},
            "commit": {"version": "1.0.0", "commit": "b"},
        }.items()
    ),
    Case("VersionSkew", "all are of one release", {UP: "1x40", UP_2: "1x40", OF_QUEUE_WORKER: "1x40"}, "40m"),
    Case(
        "SchemaBehind",
        "the database answers, and one of two server workers does not find its schema",
        {
            one("health_check_up", check="schema", server_worker="0"): "1 0x10",
            one("health_check_up", check="schema", server_worker="1"): "1x20",
            **{one("health_check_up", check="database", server_worker=number): "1x20" for number in ("0", "1")},
        },
        "6m",
        [waits(API)],
        not_before="5m",
    ),
    Case("SchemaBehind", "one of two does not reach the database", checked(schema="00", database="10"), "20m"),
    Case("SchemaBehind", "it is right, and Redis is away", checked(schema="1", database="1", redis="0"), "20m"),
    Case(
        "SchemaBehind",
        "of two pods, one reaches the database",
        {**checked(API, schema="0", database="1"), **checked(API_2, schema="0", database="0")},
        "6m",
        [waits(API)],
    ),
    Case(
        "SchemaBehind",
        "the database is away",
        {one("health_check_up", check="schema"): "0x20", one("health_check_up", check="database"): "0x20"},
        "20m",
    ),
    *(
        Case(
            "ServerWorkerDown",
            claim,
            series,
            at,
            [
                Firing(
                    "critical",
                    f"A server worker of {API} stands still",
                    "Server worker 1 gives no metrics, or its event loop has not turned for 30 s.",
                    "saturation",
                    {"pod": API, "server_worker": "1"},
                )
            ],
            not_before=not_before,
        )
        for claim, series, not_before, at in (
            (
                "it gives no metrics",
                {one("server_worker_up", server_worker=n): "1x9" if n == "0" else "1 0x9" for n in ("0", "1")},
                "1m",
                "2m",
            ),
            (
                "its event loop turned 31 s ago",
                {one("server_worker_heartbeat_timestamp_seconds", server_worker="1"): "0 29+60x9"},
                "1m",
                "2m",
            ),
        )
    ),
    Case(
        "ServerWorkerDown",
        "its event loop turns, and the last scrapes are minutes ago",
        {
            one("server_worker_up", server_worker="1"): "1 _ _ 1 _ _ 1 _ _",
            one("server_worker_heartbeat_timestamp_seconds", server_worker="1"): "-0.1 _ _ 179.9 _ _ 359.9 _ _",
        },
        "8m",
    ),
    Case(
        "ServerWorkerDown",
        "it answers, and its event loop turned 29 s ago",
        {
            one("server_worker_up", server_worker="1"): "1x20",
            one("server_worker_heartbeat_timestamp_seconds", server_worker="1"): "-29+60x20",
        },
        "20m",
    ),
    Case(
        "CrashLooping",
        "up for three minutes, and gone for four, again and again",
        {
            one("service_start_time_seconds"): " ".join(f"{420 * turn}x2 stale _x3" for turn in range(8)),
            UP_OF: " ".join(["1x2 0x3"] * 8),
        },
        "22m",
        [LOOPING],
        not_before="20m",
    ),
    Case(
        "CrashLooping",
        "each 25 minutes, and just now only twice within an hour",
        {one("service_start_time_seconds"): " ".join(f"{turn}x24" for turn in range(5)), UP_OF: "1x124"},
        "92m",
        [LOOPING],
        not_before="60m",
    ),
    Case(
        "CrashLooping",
        "twice within an hour, and before",
        {one("service_start_time_seconds"): "0x9 1x29 2x29 3x29", UP_OF: "1x100"},
        "90m",
    ),
    Case(
        "CrashLooping",
        "three pods once each, and their server workers again and again",
        {
            **{one("service_start_time_seconds", f"{API}-{number}"): "0x9 1x20" for number in range(3)},
            **{one("up", f"{API}-{number}"): "1x30" for number in range(3)},
            one("process_start_time_seconds"): "0+1x30",
        },
        "29m",
    ),
    Case(
        "CrashLooping",
        "again and again, and then its pod was deleted",
        {one("service_start_time_seconds"): "0+1x9 stale", UP_OF: "1x9 stale"},
        "11m",
    ),
    Case(
        "ServerWorkerChurn",
        "four in eight minutes",
        {
            one(EXITS, reason="crashed", server_worker="0"): "0x12 1 1 2 2 2",
            one(EXITS, reason="wedged", server_worker="1"): "0x15 1 2 2 2",
        },
        "17m",
        [
            Firing(
                "warning",
                f"Server workers of {API} end again and again",
                "4 server workers ended unasked in ten minutes.",
                "saturation",
                {"pod": API},
            )
        ],
        not_before="16m",
    ),
    Case(
        "ServerWorkerChurn",
        "many that were asked to, and three that were not, and three before",
        {one(EXITS, reason="stopped"): "0x9 0+2x20", one(EXITS, reason="killed"): "0 1 2 3x11 4 5 6x9"},
        "20m",
    ),
    Case(
        "EventLoopLag",
        "eleven wake-ups in a thousand",
        histogram(
            LAG, {"0.25": minutely(237.36), "0.5": minutely(240), "+Inf": minutely(240)}, server_worker="1"
        ),
        "6m",
        [
            Firing(
                "warning",
                f"An event loop of {API} is late",
                "Server worker 1: one wake-up in 100 is late by 272.7ms.",
                "saturation",
                {"pod": API, "server_worker": "1"},
            )
        ],
        not_before="5m",
    ),
    Case(
        "EventLoopLag",
        "nine wake-ups in a thousand",
        histogram(LAG, {"0.25": minutely(237.84), "0.5": minutely(240), "+Inf": minutely(240)}, server_worker="1"),
        "20m",
    ),
    Case(
        "MemoryNearLimit",
        "91 %",
        {one(WORKING_SET): "80 91x20", one(LIMIT): "100x20"},
        "11m",
        [
            Firing(
                "warning",
                f"{API} is near its memory limit",
                "It uses 91% of its limit; at the limit the kernel kills its processes.",
                "saturation",
                {"pod": API},
            )
        ],
        not_before="10m",
    ),
    Case("MemoryNearLimit", "89 %", {one(WORKING_SET): "89x20", one(LIMIT): "100x20"}, "20m"),
    Case("MemoryNearLimit", "there is no limit", {one(WORKING_SET): "89x20", one(LIMIT): "0x20"}, "20m"),
    Case(
        "DescriptorsExhausted",
        "81 %",
        {one("process_open_fds", server_worker="0"): "9 81x20", one("process_max_fds", server_worker="0"): "100x20"},
        "11m",
        [
            Firing(
                "warning",
                f"{API} runs out of file descriptors",
                "Server worker 0 uses 81% of its file descriptors.",
                "saturation",
                {"pod": API, "server_worker": "0"},
            )
        ],
        not_before="10m",
    ),
    Case("DescriptorsExhausted", "79 %", {one("process_open_fds"): "79x20", one("process_max_fds"): "100x20"}, "20m"),
)  # fmt: skip
