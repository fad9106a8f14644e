"""gunicorn's arbiter as the supervisor of the server workers: it replaces those that leave, and counts how they end.

What is gunicorn's stays so: sockets, signals, forks, heartbeats and their time-out. Here is only what it does not tell
(how a worker ended, and whether one or all of them stop) and what it waits for too long.
"""

import logging
import os
import signal
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from inventory_api.server.supervision import ExitReason, Supervision

logger = logging.getLogger("gunicorn.error")

WANTED_SIGNALS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
LEVELS: dict[ExitReason, int] = {"stopped": logging.INFO}


class Supervisor(Arbiter):  # type: ignore[misc]  # has no types
    """`app` is the `GunicornServer`, whose `supervision` it writes."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self._outdated: set[int] = set()

    def stop(self, graceful: bool = True) -> None:
        """Everything stops: server workers that learn of it say that they are unready."""
        self._supervision.stop()
        super().stop(graceful)

    def reload(self) -> None:
        """Replace every server worker by a new one; `manage_workers` does it.

        gunicorn's own waits for the end of the old ones, and meanwhile hears no SIGTERM. The settings are those of the
        environment, which cannot have changed.
        """
        self._outdated = set(self.WORKERS)

    def handle_ttin(self) -> None:
        """The number of server workers is a setting; so is the release, which gunicorn would replace on SIGUSR2."""
        logger.warning("the signal is ignored: the number of server workers and the release are fixed at the start")

    handle_ttou = handle_usr2 = handle_ttin

    def manage_workers(self) -> None:
        """Keep as many as are wanted. Those that leave do not count: their successors need not wait for their end."""
        serving = self._serving()
        for worker in serving[: max(len(serving) - self.num_workers, 0)]:
            self._retire(worker)
        for _ in range(self.num_workers - len(serving)):
            self._spawn()
        for worker in serving:
            if worker.pid in self._outdated and self._spawn():
                self._retire(worker)

    def reap_workers(self) -> None:
        """Of every child that has ended, if it is a server worker, say and count how.

        Raises:
            HaltServer: one could not start, so others could not either.
        """
        while (ended := _next_ended()) is not None:
            pid, code = ended
            worker = self.WORKERS.pop(pid, None)
            if worker is None:
                continue  # As PID 1 it is given every orphan of the container.
            worker.tmp.close()
            if code in (self.WORKER_BOOT_ERROR, self.APP_LOAD_ERROR):
                raise HaltServer("A server worker could not start.", code)
            reason = exit_reason(code, wedged=worker.aborted)
            self._supervision.end(worker.slot_number, reason)
            self._log_end(worker, reason, code)

    def spawn_worker(self) -> None:
        """A signal that comes before the new process listens for it waits until then; gunicorn's would lose it.

        What is forked has the supervisor's handlers at first, and would note the signal for a loop that it never runs.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, WANTED_SIGNALS)
        try:
            super().spawn_worker()
        finally:
            hear_signals()

    @property
    def _supervision(self) -> Supervision:
        found: Supervision = self.app.supervision
        return found

    def _serving(self) -> list[Any]:
        """Oldest first."""
        workers = sorted(self.WORKERS.values(), key=lambda worker: worker.age)
        return [worker for worker in workers if self._supervision.is_serving(worker.slot_number)]

    def _spawn(self) -> bool:
        """False while those that leave hold all slots; it is tried again a second later."""
        if self._supervision.is_full():
            return False
        self.spawn_worker()
        return True

    def _retire(self, worker: Any) -> None:
        self._supervision.leave(worker.slot_number)
        self.kill_worker(worker.pid, signal.SIGTERM)

    def _log_end(self, worker: Any, reason: ExitReason, code: int) -> None:
        fields: dict[str, Any] = {"server_worker": worker.slot_number, "process.pid": worker.pid, "exit.code": code}
        if (stack := _take(self.app.stack_file(worker.slot_number))) and reason != "stopped":
            fields["error.stack"] = stack
        hint = "; was it out of memory?" if reason == "killed" else ""
        level = LEVELS.get(reason, logging.ERROR)
        logger.log(level, "server worker %s has ended: %s%s", worker.slot_number, reason, hint, extra=fields)


def hear_signals() -> None:
    """Those that end a process, also what has come while it would not."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WANTED_SIGNALS)


def exit_reason(code: int, *, wedged: bool) -> ExitReason:
    """`code` is the exit status, or the negative number of the signal that ended it."""
    if wedged:
        return "wedged"
    if code == 0 or -code in WANTED_SIGNALS:
        return "stopped"
    if code == -signal.SIGKILL:
        return "killed"
    return "crashed" if code < 0 else "failed"


def _next_ended() -> tuple[int, int] | None:
    """Pid and exit code of a child that has ended, or None."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status)) if pid else None


def _take(file: Path) -> str:
    """What a crashing server worker wrote of where it was."""
    try:
        text = file.read_text()
        file.unlink()
    except OSError:
        return ""
    return text.strip()
