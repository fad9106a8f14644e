"""`make bench`: prints the table, and fails where the service is slower than it claims to be."""

import argparse
import platform
import signal
import sys
from types import FrameType

import psutil
from tests.drills.world import own_world

from .measuring import Plan, measure
from .report import rows, table, verdict
from .targets import all_targets

SKUS = [f"A-{number}" for number in range(100)]
GET = "GET item"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--told", action="store_true", help="print, and fail for nothing that was measured")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    found, met, told = [], True, ""
    with own_world() as world, all_targets(world, SKUS) as targets:
        for operation, series in measure(world.directory, targets, SKUS, Plan(options.rounds, options.seconds)):
            print(f"bench: {operation} is measured", file=sys.stderr, flush=True)
            found += rows(operation, series)
            if operation == GET:
                met, told = verdict(series)
    memory = psutil.virtual_memory().total / 2**30
    print(f"Python {platform.python_version()}, {psutil.cpu_count()} cores, {memory:.0f} GiB; medians of")
    print(f"{options.rounds} rounds of {options.seconds:g} s, least and most in parentheses.\n\n{table(found)}\n")
    print(f"{GET}: {'yes' if met else 'NO'}: {told}")
    return 0 if met or options.told else 1


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


sys.exit(main())
