"""Whatever paths and methods clients try, what is measured of them stays bounded, and is what Prometheus reads."""

import asyncio
import subprocess
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families as parse_text

from inventory_api.server.protocol import HttpProtocol
from tests.support.process import Server

from . import claims
from .drill import Drill
from .hostile import say_all
from .memory import MIB, peak, reset_peak, resident

PATHS = 10_000
METHODS = 200
AT_ONCE = 4
MOST_GROWTH = 16 * MIB
KNOWN = ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# The parser of the server takes these, though the service has no use for them.
UNKNOWN = ("MKCOL", "PROPFIND", "M-SEARCH", "REPORT", "LINK", "TRACE", "COPY", "LOCK", "SEARCH", "MERGE")
ODD = [form.format(number) for number in range(METHODS // 4) for form in ("FOO{}", "get{}", "X" * 200 + "{}", "{}")]


def test_ten_thousand_paths_and_two_hundred_methods(drill: Drill) -> None:
    """10,000 distinct paths and 200 odd methods: series, memory, promtool"""
    server, report = drill.serve(), drill.report
    workers, prober = server.children(), drill.probe(server)
    _try(server, range(100), [*KNOWN, "PURGE", "FOO"])
    before, series = resident(workers), _series(server)
    reset_peak(workers)
    _try(server, range(100, 100 + PATHS), [*UNKNOWN, *ODD])
    grown, added = peak(workers) - before, _series(server) - series
    report.claim("no series is added", not added, sorted(added)[:3] or f"{len(series)} series")
    report.claim(f"memory grows by less than {MOST_GROWTH // MIB} MiB", grown < MOST_GROWTH, f"{grown / MIB:.1f} MiB")
    _claim_promtool_is_content(drill, server)
    claims.liveness_holds(drill, prober)
    claims.no_worker_was_replaced(drill, server, workers)
    claims.log_has_no_errors(drill, server)
    report.verdict()


def _try(server: Server, numbers: range, methods: Iterable[str]) -> None:
    paths = [_request("GET", f"/nowhere/{number}") for number in numbers]
    # A connection takes only so many requests ahead.
    batches = [paths[at : at + HttpProtocol.max_pipelined] for at in range(0, len(paths), HttpProtocol.max_pipelined)]
    last = _request("GET", "/nowhere", close=True)
    asyncio.run(say_all(server.port, [[b"".join(batch), last] for batch in batches], AT_ONCE))
    asyncio.run(say_all(server.port, [[_request(method, "/nowhere", close=True)] for method in methods], AT_ONCE))


def _request(method: str, path: str, *, close: bool = False) -> bytes:
    more = "Connection: close\r\n" if close else ""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


def _series(server: Server) -> set[str]:
    """Names with labels; of all that a scrape tells."""
    samples = (sample for family in parse_text(server.metrics()) for sample in family.samples)
    return {f"{sample.name}{sorted(sample.labels.items())}" for sample in samples}


def _claim_promtool_is_content(drill: Drill, server: Server) -> None:
    command = ["promtool", "check", "metrics"]
    checked = subprocess.run(command, input=server.metrics(), text=True, capture_output=True, check=False)
    told = checked.stdout + checked.stderr
    drill.report.claim("promtool finds nothing to say", (checked.returncode, told) == (0, ""), told)
