"""Which alerts each fault must raise, and what it may raise besides."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from . import faults
from .scene import Scene

RECEIVERS = {"critical": "page", "warning": "ticket", "info": "chat", "none": "heartbeat"}


@dataclass(frozen=True, slots=True)
class Case:
    """`alerts`: each must fire and end. `besides`: these may fire too, as they rightly follow from the fault.

    `silenced`: these must not arrive, whether or not they fire.
    """

    fault: Callable[[Scene], AbstractContextManager[None]]
    about: str
    alerts: tuple[str, ...]
    besides: tuple[str, ...] = ()
    silenced: tuple[str, ...] = ()
    is_short: bool = False


def burns(slo: str) -> tuple[str, ...]:
    return tuple(f"{slo}Burn {window}" for window in ("1h", "6h", "1d", "3d"))


CASES = (
    Case(faults.job_poisoned, "a job whose payload cannot be read", ("DeadLetters",), is_short=True),
    Case(faults.redis_stopped, "Redis is stopped", ("RedisDegraded",), is_short=True),
    Case(faults.keys_file_broken, "the keys file is no JSON", ("KeyFileUnreadable",), is_short=True),
    Case(
        faults.server_worker_frozen,
        "SIGSTOP of a server worker",
        ("ServerWorkerDown",),
        ("EventLoopLag",),
        is_short=True,
    ),
    Case(faults.level_changed, "a level is changed by SQL, past the service", ("LedgerMismatch",)),
    Case(faults.wrong_keys, "every client has a wrong key", ("AuthFailures",)),
    Case(
        faults.server_workers_killed,
        "SIGKILL of a server worker, again and again",
        ("ServerWorkerChurn",),
        ("ServerWorkerDown",),
    ),
    Case(
        faults.container_ends,
        "the container of a pod ends, again and again",
        ("CrashLooping",),
        ("ServerWorkerDown", "VersionSkew", "ConnectionBudget", "ProbeFailing"),
    ),
    Case(
        faults.server_worker_held_back,
        "a server worker runs for half of the time, by SIGSTOP and SIGCONT",
        ("EventLoopLag",),
        ("LatencyBurn",),
    ),
    Case(faults.collector_refuses, "the collector refuses every span", ("TelemetryDropping",)),
    Case(faults.storage_gone, "the storage's directory is gone", ("StorageFailing",), ("AvailabilityBurn",)),
    Case(faults.partner_has_left, "a partner answers 410", ("EndpointDisabled",)),
    Case(faults.partner_fails, "a partner answers two of three by 500", ("WebhooksFailing",)),
    Case(
        faults.another_commit, "one more server worker, of another commit", ("VersionSkew", "ConnectionBudgetExceeded")
    ),
    Case(faults.descriptors_taken, "a limit of 160 descriptors, and idle connections", ("DescriptorsExhausted",)),
    Case(faults.memory_nearly_full, "a memory limit that is nearly reached", ("MemoryNearLimit",)),
    Case(
        faults.schema_behind,
        "the record of the last migration is gone",
        ("SchemaBehind",),
    ),
    Case(
        faults.jobs_that_nobody_does,
        "jobs of a kind that nobody knows come all the time",
        ("JobsStalled", "JobsGrowing"),
    ),
    Case(
        faults.measuring_held_up,
        "somebody locks what queue workers measure by",
        ("QueueUnmeasured",),
        ("LedgerUnchecked", "JobsStalled"),
    ),
    Case(faults.queue_worker_frozen, "SIGSTOP of the queue worker", ("TargetDown", "QueueWorkerAbsent")),
    Case(
        faults.slow,
        "somebody locks the items for 0.8 of each second",
        (*burns("Latency"), "DbSlow"),
        ("DbPool", "AvailabilityBurn"),
    ),
    Case(
        faults.pool_taken,
        "somebody locks the items for longer, and 40 clients wait",
        ("DbPoolSaturated", "DbPoolTimeouts"),
        ("DbSlow", "AvailabilityBurn", "EventLoopLag"),
        silenced=("LatencyBurn",),
    ),
    Case(
        faults.database_stopped,
        "PostgreSQL is stopped",
        (*burns("Availability"), "ProbeFailing"),
        ("DbPoolTimeouts", "ServerWorker", "LedgerUnchecked", "QueueUnmeasured"),
    ),
    Case(faults.ledger_not_looked_at, "the look at the ledger does not run", ("LedgerUnchecked",)),
    Case(
        faults.api_frozen,
        "SIGSTOP of the whole API",
        ("Absent",),
        silenced=("TargetDown", "NoTraffic", "ServerWorkerDown", "AvailabilityBurn", "LatencyBurn"),
    ),
    Case(faults.nobody_asks, "the clients are gone", ("NoTraffic",)),
)
