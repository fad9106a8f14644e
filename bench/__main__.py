"""`make bench`: prints the table, and fails where the service is slower than it claims to be."""

import argparse
import platform
import signal
import sys
from types import FrameType

import psutil
from tests.drills.world import own_world

from .measuring import Plan, measure
from .report import median_ratio, rows, table
from .targets import FULL, STOCK, all_targets

SKUS = [f"A-{number}" for number in range(100)]
GET = "GET item"
LEAST_CAPACITY, MOST_P99 = 1.0, 0.5


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--told", action="store_true", help="print, and fail for nothing that was measured")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    found, met = [], True
    with own_world() as world, all_targets(world, SKUS) as targets:
        for operation, series in measure(world.directory, targets, SKUS, Plan(options.rounds, options.seconds)):
            print(f"bench: {operation} is measured", file=sys.stderr, flush=True)
            found += rows(operation, series)
            if operation == GET:
                capacity = median_ratio(series[FULL].capacity, series[STOCK].capacity)
                p99 = median_ratio(series[FULL].p99, series[STOCK].p99)
                met = capacity >= LEAST_CAPACITY and p99 <= MOST_P99
    memory = psutil.virtual_memory().total / 2**30
    print(f"Python {platform.python_version()}, {psutil.cpu_count()} cores, {memory:.0f} GiB; medians of")
    print(f"{options.rounds} rounds of {options.seconds:g} s, least and most in parentheses.\n\n{table(found)}\n")
    print(f"GET: at least {LEAST_CAPACITY:g} x the capacity, at most {MOST_P99:g} x the p99: {'yes' if met else 'NO'}")
    return 0 if met or options.told else 1


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


sys.exit(main())
