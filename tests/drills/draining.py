"""The service under clients that ask without a pause, told to end; what each drill of that claims."""

import signal
import time
from typing import Any

import psutil

from inventory_api.settings import Settings
from tests.support.otlp import Collector
from tests.support.waiting import wait_until

from .claims import answered_changes_are_there, every_answer_has_its_span, log_has_no_errors
from .clients import REFUSED
from .drill import Drill
from .load import mixed
from .report import milliseconds

CLIENTS = 100
ITEMS = 20
# Each client has a kept connection by then.
SETTLED = 5 * CLIENTS
# Whoever asks is answered, however long it waits for the pool: a refusal would be a failure.
ROOM: dict[str, Any] = {"max_in_flight": 2 * CLIENTS, "pool_acquire_timeout": 5, "drain_delay": 1}


class Asked:
    """The service with all its server workers, and the clients that ask it."""

    def __init__(self, drill: Drill, endpoint: str, *, workers: int = 1, **settings: Any) -> None:
        self.drill = drill
        self.workers = workers
        given = {**ROOM, **settings}
        self.delay: float = given["drain_delay"]
        self.bound = Settings(**given).graceful_timeout
        self.server = drill.serve(workers=workers, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **given)
        self.wait_until_up()
        self.skus = drill.add_items(self.server, ITEMS)

    def ask(self) -> "Asked":
        """From now on, until the end."""
        self.drill.timeline.mark("before")
        self.load = self.drill.load(self.server, mixed(self.skus), clients=CLIENTS)
        self.load.wait_for(SETTLED)
        return self

    def wait_until_up(self) -> None:
        wait_until(lambda: self.server.metric("server_worker_up") == self.workers)

    def wait_until_replaced(self, leaving: list[psutil.Process]) -> None:
        wait_until(lambda: not any(worker.is_running() for worker in leaving))
        self.wait_until_up()

    def end(self) -> float:
        """SIGTERM, and how it ends; tells the seconds that it took."""
        self.told = self.drill.timeline.mark("SIGTERM")
        self.server.signal(signal.SIGTERM)
        code = self.server.wait(self.bound * 2)
        took = time.monotonic() - self.told
        self.drill.report.claim("the exit code is 0", code == 0, code)
        self.drill.report.measure(f"the exit is within {self.bound} s", took <= self.bound, milliseconds(took))
        return took

    def judge(self, collector: Collector | None = None) -> None:
        """Each request has its 2xx, its change and its span; none is refused before the delay is over."""
        outcomes, report = self.load.stop(), self.drill.report
        report.load(self.drill.timeline.phases(outcomes))
        over = self.told + self.delay
        sent = outcomes.where(lambda outcome: outcome.problem != REFUSED or outcome.ended < over)
        failed = sent.where(lambda outcome: not 200 <= outcome.status < 300).labels()
        report.claim("no request fails", bool(sent) and not failed, dict(failed) or len(sent))
        told = outcomes.where(lambda outcome: outcome.closing)
        report.claim("every client is told by `Connection: close`", len(told) >= CLIENTS, len(told))
        in_time = len(told.where(lambda outcome: outcome.ended < over))
        report.claim("and not only when the delay is over", in_time > 0, in_time)
        answered_changes_are_there(self.drill, self.load)
        if collector is not None:
            every_answer_has_its_span(self.drill, self.load, collector)
        log_has_no_errors(self.drill, self.server)
