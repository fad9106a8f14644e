"""Queue workers of a drill; who is killed has a successor."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.queue_worker import Worker
from tests.support.waiting import wait_until

from .drill import Drill
from .world import make_directory

HEARTBEAT_SECONDS = 2
# Events that are to be told of, and webhooks that are to be delivered.
WAITING = """
SELECT (SELECT count(*) FROM pgqueuer WHERE entrypoint = 'event' AND status <> 'failed')
       + (SELECT count(*) FROM webhook_delivery WHERE status = 'pending')
"""
# What a worker may send to partners on this machine, and how often: a failure is soon forgotten.
TO_PARTNERS: dict[str, Any] = {
    "webhook_loopback": "true",
    "webhook_delays": ",".join(["0", "1", "2", *["4"] * 27]),
}


class Queue:
    """`all` that there were, and those that are `alive`."""

    def __init__(self, drill: Drill, settings: dict[str, Any]) -> None:
        self._drill = drill
        self._settings = settings
        self.all: list[Worker] = []
        self.alive: list[Worker] = []

    def start(self) -> Worker:
        directory = make_directory(self._drill.world.directory / f"queue-{uuid.uuid4().hex[:8]}")
        worker = Worker(directory, self._drill.world.database_url, job_heartbeat=HEARTBEAT_SECONDS, **self._settings)
        self.all.append(worker)
        self.alive.append(worker)
        return worker

    def kill_one(self) -> None:
        """The oldest."""
        self.alive.pop(0).kill_all()
        self.start()


@contextmanager
def queue_workers(drill: Drill, count: int, **settings: Any) -> Iterator[Queue]:
    """Killed when left."""
    queue = Queue(drill, settings)
    try:
        for _ in range(count):
            queue.start()
        wait_until(lambda: all(worker.says("ready") == 200 for worker in queue.alive), 60)
        yield queue
    finally:
        for worker in queue.alive:
            worker.kill_all()
