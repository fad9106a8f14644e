"""What can be used up: event loops, processors, memory, descriptors, and connections to PostgreSQL and Redis."""

from collections.abc import Iterator

from .board import Board
from .explore import to_board
from .panels import BLUE, GREEN, ORANGE, RED, About, Panel, Query, graph, number, states
from .variables import PODS

RATE = "[$__rate_interval]"
PROCESS = "pod, server_worker"
OF_PROCESS = "{{pod}} {{server_worker}}"


def board() -> Board:
    """See the module."""
    return Board(
        "saturation",
        "What the pods run out of before requests fail: the dashboard for the cause behind latency and 503. "
        "A process is a server worker of a pod, or the queue worker, which has the slot 0.",
        [
            ("Health", [*_health()]),
            ("Event loop and processor", [*_processor()]),
            ("Memory and descriptors", [*_memory()]),
            ("Connections to PostgreSQL", [*_postgresql()]),
            ("Redis", [*_redis()]),
        ],
    )


def _health() -> Iterator[Panel]:
    yield states(
        About(
            "Ready",
            "A pod that is not gets no requests. Which check fails is beside it; one that drains ends by and by.",
            "none",
            8,
            {GREEN: 1, BLUE: 2},
            base=RED,
        ),
        Query(
            f"2 * (max by (pod) (health_draining{{{PODS}}}) > 0) or min by (pod) (health_ready{{{PODS}}})", "{{pod}}"
        ),
        one="ready",
        zero="not ready",
        two="drains",
    )
    yield states(
        About(
            "Checks",
            "The dependency as each pod sees it. One pod alone: its network or its node; all: the dependency.",
            "none",
            8,
            {GREEN: 1},
            base=RED,
        ),
        Query(f"min by (pod, check) (health_check_up{{{PODS}}})", "{{check}} {{pod}}"),
        one="passes",
        zero="fails",
    )
    yield states(
        About(
            "Server workers",
            "One that does not give its metrics within 200 ms stands still or has just been replaced.",
            "none",
            8,
            {GREEN: 1},
            base=RED,
        ),
        Query(f"min by ({PROCESS}) (server_worker_up{{{PODS}}})", OF_PROCESS),
        one="up",
        zero="not heard",
    )
    yield graph(
        About(
            "Silence of event loops",
            "Seconds since the loop last turned. After 20 the supervisor replaces the process: a call that blocks.",
            "s",
            8,
            {ORANGE: 5, RED: 20},
        ),
        Query(
            f"max by ({PROCESS}) (timestamp(server_worker_heartbeat_timestamp_seconds{{{PODS}}}) "
            f"- server_worker_heartbeat_timestamp_seconds{{{PODS}}})",
            OF_PROCESS,
        ),
    )
    yield graph(
        About(
            "Restarts of containers",
            "Within an hour. An upgrade makes other pods, and is none. After the third it is a loop; kubectl describe "
            "pod tells why the last one ended.",
            "none",
            8,
            {ORANGE: 1, RED: 3},
        ),
        Query(f"max by (pod) (changes(service_start_time_seconds{{{PODS}}}[1h]))", "{{pod}}"),
    )
    yield graph(
        About(
            "Exits of server workers",
            "stopped is asked for. killed is often the kernel's, for memory; wedged is a loop that stood still.",
            "none",
            8,
            {ORANGE: 1},
        ),
        Query(f"sum by (pod, reason) (increase(server_worker_exits_total{{{PODS}}}{RATE}))", "{{reason}} {{pod}}"),
        stacked=True,
    )
    yield graph(
        About(
            "Age of processes",
            "A saw is a process that is restarted again and again; all young at once is a release.",
            "s",
            8,
            links=[to_board("Releases", "releases")],
        ),
        Query(f"time() - max by ({PROCESS}) (process_start_time_seconds{{{PODS}}})", OF_PROCESS),
    )


def _processor() -> Iterator[Panel]:
    lag = f"rate(event_loop_lag_seconds_bucket{{{PODS}}}{RATE})"
    yield graph(
        About(
            "Lag of event loops",
            "How late the loop wakes a sleeper: every request of the process waits for so long. Too little processor, "
            "or code that computes or blocks.",
            "s",
            steps={ORANGE: 0.05, RED: 0.25},
        ),
        *(
            Query(f"histogram_quantile({q:g}, sum by ({PROCESS}, le) ({lag}))", f"p{q * 100:g} {OF_PROCESS}")
            for q in (0.5, 0.99)
        ),
    )
    yield graph(
        About(
            "Processor",
            "Cores of each process; one is all that it can use. Near 1: more server workers, or more pods.",
            "short",
            steps={ORANGE: 0.8, RED: 0.95},
        ),
        Query(f"sum by ({PROCESS}) (rate(process_cpu_seconds_total{{{PODS}}}{RATE}))", OF_PROCESS),
    ).decimals(2)
    yield graph(
        About(
            "In flight, by process",
            "At twice the pool of connections others wait, and then are shed.",
            "none",
            links=[to_board("Requests", "requests")],
        ),
        Query(f"sum by ({PROCESS}) (http_server_active_requests{{{PODS}}})", OF_PROCESS),
    )
    yield graph(
        About(
            "Collections of garbage",
            "Of the oldest generation each stops the process for long: more of them are objects that stay.",
            "cps",
        ),
        Query(
            f"sum by (pod, generation) (rate(python_gc_collections_total{{{PODS}}}{RATE}))", "{{generation}} {{pod}}"
        ),
    )


def _memory() -> Iterator[Panel]:
    working = f"max by (pod) (cgroup_memory_working_set_bytes{{{PODS}}})"
    limit = f"max by (pod) (cgroup_memory_limit_bytes{{{PODS}}})"
    yield graph(
        About(
            "Memory of pods, of their limit",
            "At 1 the kernel kills. No series: no limit, or nobody accounts for it. A slope without end is a leak.",
            "percentunit",
            8,
            {ORANGE: 0.8, RED: 0.9},
        ),
        Query(f"{working} / ({limit} > 0)", "{{pod}}"),
        highest=1,
    )
    yield graph(
        About(
            "Memory of pods",
            "What the kernel cannot take back, and the limit that it is held to.",
            "bytes",
            8,
        ),
        Query(working, "{{pod}}"),
        Query(f"{limit} > 0", "limit {{pod}}"),
    )
    yield graph(
        About(
            "Resident memory of processes",
            "Which of them it is. Shared pages are counted in each.",
            "bytes",
            8,
        ),
        Query(f"max by ({PROCESS}) (process_resident_memory_bytes{{{PODS}}})", OF_PROCESS),
    )
    yield graph(
        About(
            "Descriptors, of their limit",
            "At 1 no connection is accepted or opened. Clients that keep connections, or something that is not closed.",
            "percentunit",
            8,
            {ORANGE: 0.6, RED: 0.8},
        ),
        Query(f"max by ({PROCESS}) (process_open_fds{{{PODS}}} / process_max_fds{{{PODS}}})", OF_PROCESS),
        highest=1,
    )
    yield graph(
        About("Descriptors", "Open files and sockets of each process.", "none", 8),
        Query(f"max by ({PROCESS}) (process_open_fds{{{PODS}}})", OF_PROCESS),
    )
    yield graph(
        About(
            "Objects that no collection frees",
            "Anything but 0 is a defect: cycles with finalizers that fail.",
            "none",
            8,
            {ORANGE: 1},
        ),
        Query(f"sum by (pod) (increase(python_gc_objects_uncollectable_total{{{PODS}}}{RATE}))", "{{pod}}"),
    )


def _postgresql() -> Iterator[Panel]:
    used = f'max by ({PROCESS}) (db_client_connections{{{PODS}, state="used"}})'
    largest = f'max by ({PROCESS}) (db_client_connection_max{{{PODS}, pool="main"}})'
    yield graph(
        About(
            "Pool in use",
            "Of the connections that a process may open. At 1 requests wait: slow statements, locks, a small pool.",
            "percentunit",
            8,
            {ORANGE: 0.7, RED: 0.9},
            links=[to_board("Data and jobs", "data")],
        ),
        Query(f"{used} / ({largest} > 0)", OF_PROCESS),
        highest=1,
    )
    yield graph(
        About(
            "Requests that wait for a connection",
            "More than a few, for longer than a moment: what is slow is in front of them, not in them.",
            "none",
            8,
            {ORANGE: 1, RED: 5},
        ),
        Query(f"max by ({PROCESS}) (db_client_connection_pending_requests{{{PODS}}})", OF_PROCESS),
    )
    wait = f"rate(db_client_connection_wait_time_seconds_bucket{{{PODS}}}{RATE})"
    yield graph(
        About(
            "Wait for a connection",
            "After a quarter of a second by default a request is told 503.",
            "s",
            8,
            {ORANGE: 0.05, RED: 0.25},
        ),
        *(
            Query(f"histogram_quantile({q:g}, sum by (pod, le) ({wait}))", f"p{q * 100:g} {{{{pod}}}}")
            for q in (0.5, 0.99)
        ),
    )
    yield graph(
        About(
            "Waits that ended without a connection",
            "Each is a 503. A pool that is used up, or a database that is not there.",
            "cps",
            8,
            {ORANGE: 0.1, RED: 1},
        ),
        Query(f"sum by (pod) (rate(db_client_connection_timeouts_total{{{PODS}}}{RATE}))", "{{pod}}"),
        stacked=True,
    )
    yield graph(
        About("Connections", "That are open, by what they do.", "none", 8),
        Query(f"sum by (state) (db_client_connections{{{PODS}}})", "{{state}}"),
        stacked=True,
    )
    by_pool = f"max by ({PROCESS}, pool) (db_client_connection_max{{{PODS}}})"
    yield graph(
        About(
            "Connections that may be opened",
            "All processes together, by pool. It must stay below what PostgreSQL has for the service, which the chart "
            "counts (database.maxConnections); while a release rolls out there are more.",
            "none",
            8,
        ),
        Query(f"sum by (pool) ({by_pool})", "{{pool}}"),
        stacked=True,
    )


def _redis() -> Iterator[Panel]:
    # It is in no state where there is no Redis.
    breaker = f"by ({PROCESS}) (redis_breaker_state{{{PODS}"
    yield states(
        About(
            "Breaker of Redis",
            "Open: Redis did not answer, and nobody waits for it. Reads go to PostgreSQL, each process limits alone. "
            "Of a release without Redis there is nothing to show.",
            "none",
            8,
            {GREEN: 1},
            base=RED,
        ),
        Query(f'min {breaker}, state="closed"}}) and max {breaker}}}) > 0', OF_PROCESS),
        one="closed",
        zero="open",
    )
    yield graph(
        About(
            "Failures of Redis",
            "timeout and connection: it is not there; refused: it is full or read only; pool: see beside.",
            "cps",
            8,
            {ORANGE: 0.1, RED: 1},
        ),
        Query(f"sum by (error_type) (rate(redis_client_errors_total{{{PODS}}}{RATE}))", "{{error_type}}"),
        stacked=True,
    )
    yield number(
        About(
            "Pool of Redis used up",
            "Calls a second that found all connections of their process in use, and went on without Redis.",
            "cps",
            8,
            {ORANGE: 0.1, RED: 1},
            base=BLUE,
        ),
        Query(f'sum(rate(redis_client_errors_total{{{PODS}, error_type="pool"}}{RATE}))', "used up"),
    )
