"""`make observe`: starts what there is, says what there is not, and ends all of it with Ctrl-C."""

import argparse
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from inventory_api.dev.processes import Processes

from .programs import Missing, Ports, Program, found

READY_SECONDS = 60.0
POLL_SECONDS = 0.2
# Longer than the drain of the service.
END_SECONDS = 60.0
DEV = (sys.executable, "-m", "inventory_api.cli", "dev")
COLLECTOR, SERVICE = "OpenTelemetry Collector", "the service"


class StackError(Exception):
    """It cannot go on; the message says why."""


class Asked:
    """Whether the end was asked for, from the beginning on."""

    def __init__(self) -> None:
        self.is_so = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._take)

    def _take(self, _: int, __: object) -> None:
        self.is_so = True


def main() -> int:
    parser = argparse.ArgumentParser(prog="make observe")
    parser.add_argument("--offset", type=int, default=0, help="added to every port")
    parser.add_argument("--data-dir", type=Path, default=Path(".data"), help="where everything is kept")
    options, rest = parser.parse_known_args()
    data = (options.data_dir / "observe").absolute()
    data.mkdir(mode=0o755, parents=True, exist_ok=True)
    processes, asked = Processes(data / "processes.json"), Asked()
    processes.end_leftovers()
    try:
        _run(options, rest, data, processes, asked)
    except StackError as error:
        print(f"make observe: {error}", file=sys.stderr)
        return 1
    finally:
        processes.stop()
    return 0


class NotReady(Exception):
    """A program has ended by itself, or does not answer; its log says why."""


def _run(options: argparse.Namespace, rest: list[str], data: Path, processes: Processes, asked: Asked) -> None:
    ports, log = Ports(options.offset), data / "service.log"
    log.write_text("")
    outcomes = [_tried(program, data, processes, asked) for program in found(data, ports, log)]
    started = {outcome.name for outcome in outcomes if isinstance(outcome, Program)}
    for line in _lines(outcomes, log):
        print(line, file=sys.stderr, flush=True)
    environment = dict(os.environ)
    if COLLECTOR in started:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = ports.url("collector")
    flags = [
        f"--port={ports.number('api')}",
        f"--management-port={ports.number('management')}",
        f"--data-dir={options.data_dir}",
    ]
    with log.open("ab") as output:
        processes.start(SERVICE, [*DEV, *flags, *rest], env=environment, output=output, errors=sys.stderr)
    while not asked.is_so:
        ended = processes.first_ended(POLL_SECONDS)
        if ended is None:
            continue
        told = f"{ended} has ended by itself; {_log_of(ended, data)} says why"
        if ended == SERVICE:
            raise StackError(told)
        # The others go on without it.
        print(f"make observe: {told}", file=sys.stderr, flush=True)
        processes.forget(ended)
    processes.stop_last(signal.SIGTERM, END_SECONDS)


def _tried(program: Program | Missing, data: Path, processes: Processes, asked: Asked) -> Program | Missing:
    """What became of it: the others go on without one that does not start."""
    try:
        if isinstance(program, Program):
            _start(program, data, processes, asked)
    except NotReady:
        return Missing(program.name, f"it does not start; {_log_of(program.name, data)} says why")
    return program


def _start(program: Program, data: Path, processes: Processes, asked: Asked) -> None:
    """And wait until it is ready.

    Raises:
        NotReady: see there; nothing of it is left.
    """
    with _log_of(program.name, data).open("wb") as output:
        child = processes.start(program.name, program.command, env={**os.environ, **program.environment}, output=output)
    deadline = time.monotonic() + READY_SECONDS
    while not asked.is_so:
        # First, since where its port is taken somebody else answers.
        if child.poll() is not None or time.monotonic() > deadline:
            processes.stop_last(signal.SIGKILL, END_SECONDS)
            processes.forget(program.name)
            raise NotReady
        if _status(program.ready) == program.ready_status:
            return
        time.sleep(POLL_SECONDS)


def _status(url: str) -> int:
    """Of its answer; 0 where there is none."""
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310 -- on this machine
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _lines(outcomes: list[Program | Missing], log: Path) -> list[str]:
    lines = ["", "make observe", ""]
    for program in outcomes:
        if isinstance(program, Program):
            lines.append(f"  {program.name:<24} {program.url}   ({program.about})")
        else:
            lines.append(f"  {program.name:<24} NOT STARTED: {program.why}")
    return [*lines, f"  {'log lines':<24} {log}"]


def _log_of(name: str, data: Path) -> Path:
    if name == SERVICE:
        return data / "service.log"
    return data / f"{name.lower().replace(' ', '-')}.log"


if __name__ == "__main__":
    sys.exit(main())
