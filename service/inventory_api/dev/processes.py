"""Child processes that a killed parent may leave behind, and the next start ends."""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil

END_SECONDS = 10.0
POLL_SECONDS = 0.05


class Processes:
    """Starts children, each in a process group of its own, and keeps a record of them in the data directory.

    The record holds when each began, so that a pid that was given to somebody else is never touched.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def end_leftovers(self) -> None:
        """End what an earlier parent left running, the servers last, so that its work is finished first."""
        for name, pid, began in reversed(self._recorded()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.create_time() == began:
                    end(process, signal.SIGINT if name == "postgresql" else signal.SIGTERM)
        self._record.unlink(missing_ok=True)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        output: IO[bytes] | None = None,
        errors: IO[Any] | None = None,
        account: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """`output`: where stdout and stderr go (default: those of this process); `errors`: where stderr goes, if
        elsewhere; `account`: the uid to run as.
        """
        identity: dict[str, Any] = {"user": account, "group": account, "extra_groups": []} if account else {}
        child = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors or output,
            start_new_session=True,
            **identity,
        )
        self._children.append((name, child))
        self._record.write_text(
            json.dumps([*self._recorded(), [name, child.pid, psutil.Process(child.pid).create_time()]])
        )
        return child

    def first_ended(self, seconds: float) -> str | None:
        """The name of a child that has ended by itself, or None after that time."""
        deadline = time.monotonic() + seconds
        while True:
            for name, child in self._children:
                if child.poll() is not None:
                    return name
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_SECONDS)

    def stop_last(self, how: int, seconds: float) -> None:
        """Ask the child that was started last to end, and wait for it; kill it after that time."""
        _, child = self._children[-1]
        child.send_signal(how)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()

    def forget(self, name: str) -> None:
        """A child that has ended, and whose end is no matter any more."""
        self._children = [child for child in self._children if child[0] != name]

    def stop(self) -> None:
        """End what is left, last started first."""
        for _, child in reversed(self._children):
            if child.poll() is None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    end(psutil.Process(child.pid), signal.SIGTERM)
            child.wait()
        self._record.unlink(missing_ok=True)

    def _recorded(self) -> list[Any]:
        try:
            return list(json.loads(self._record.read_text()))
        except (OSError, ValueError):
            return []


def end(process: psutil.Process, how: signal.Signals) -> None:
    """Ask, wait, then insist, for the process and its children."""
    family = [process, *process.children(recursive=True)]
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(how)
    _await_end([process])
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    _await_end(family)


def _await_end(processes: Sequence[psutil.Process]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while any(runs(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def runs(process: psutil.Process) -> bool:
    """A zombie has ended; in a container it may stay one for ever, for want of an init that reaps."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
