"""`make bench-telemetry`: what logs, metrics and traces cost: a request, a pod, and whoever waits beside a scrape."""

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.drills.load import Request
from tests.drills.world import World, make_directory, own_world
from tests.support.meanwhile import meanwhile
from tests.support.otlp import Collector, collecting
from tests.support.process import Server, serving

from .measuring import capacity, latency
from .report import CONTROL_WITHIN, median_ratio
from .targets import Target

SKUS = [f"A-{number}" for number in range(100)]
# Requests/s: what both cores serve with time to spare, while the load has its share of them.
RATE = 300
# Between scrapes. The chart's default is 30: what is judged is six times as often, the other as often as anybody might.
JUDGED, OFTEN, NOBODY, AGAIN = "a scrape each 5 s", "a scrape each second", "nobody", "nobody again"
PACES = {NOBODY: None, JUDGED: 5.0, OFTEN: 1.0, AGAIN: None}
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
# Shares of requests that are traced; none: no collector is set.
SHARES = (None, "0", "0.01", "1")
# More than this is a scrape that is felt.
MOST_P99 = 1.10


@dataclass
class Scrapes:
    seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-telemetry")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--told", action="store_true", help="print, and fail for nothing that was measured")
    options = parser.parse_args()
    with own_world() as world:
        is_kept = _beside_scrapes(world, options.rounds, options.seconds)
        _of_requests(world, options.rounds, options.seconds)
    return 0 if is_kept or options.told else 1


def _beside_scrapes(world: World, rounds: int, seconds: float) -> bool:
    """Latency by turns: with nobody who scrapes, with somebody who does at a pace, and with nobody again."""
    p99: dict[str, list[float]] = {name: [] for name in PACES}
    scrapes = Scrapes()
    with _serving(world, "scraped", None, workers=2) as (server, _):
        for sku in SKUS:
            server.put(sku).raise_for_status()
        target = Target("the service", server.port)
        for _ in range(rounds):
            for name, found in p99.items():
                with ExitStack() as stack:
                    if (pace := PACES[name]) is not None:
                        stack.enter_context(_scraping(server, scrapes, pace))
                    found.append(latency(world.directory, target, _requests(), RATE, seconds).percentile(99))
        _tell_of_series(server, scrapes)
    ratio, often, control = (median_ratio(p99[name], p99[NOBODY]) for name in (JUDGED, OFTEN, AGAIN))
    told = ", ".join(f"{name} {statistics.median(found) * 1000:.2f} ms" for name, found in p99.items())
    _say(f"p99 of requests, {RATE} a second, medians of {rounds} rounds of {seconds:g} s: {told}")
    _say(
        f"ratio of the rounds: {ratio:.2f} with {JUDGED} (at most {MOST_P99:g}), {often:.2f} with {OFTEN}, "
        f"{control:.2f} with {AGAIN}"
    )
    if not 1 / CONTROL_WITHIN <= control <= CONTROL_WITHIN:
        _say("no verdict: nobody differs from nobody by as much; try a quieter machine")
        return False
    return ratio <= MOST_P99


def _tell_of_series(server: Server, scrapes: Scrapes) -> None:
    samples = [sample for family in parse_text(server.metrics()) for sample in family.samples]
    workers = len({sample.labels["server_worker"] for sample in samples if "server_worker" in sample.labels})
    _say(
        f"a pod of {workers} server workers after these requests: {len(samples)} series; "
        f"{_resident(server):.0f} MiB resident each;"
    )
    _say(
        f"a scrape of it: {statistics.median(scrapes.seconds) * 1000:.0f} ms (most {max(scrapes.seconds) * 1000:.0f}), "
        f"{statistics.median(scrapes.bytes) / 1024:.0f} KiB, of {len(scrapes.seconds)} scrapes"
    )


def _resident(server: Server) -> float:
    """MiB of a server worker."""
    return statistics.median(process.memory_info().rss for process in server.children()) / 2**20


def _of_requests(world: World, rounds: int, seconds: float) -> None:
    """CPU time, log bytes and spans of a request, and what they move of the rate, by the share that is traced."""
    with ExitStack() as stack:
        served = {share: stack.enter_context(_serving(world, f"traced-{share}", share)) for share in SHARES}
        rates: dict[str | None, list[float]] = {share: [] for share in SHARES}
        cpu: dict[str | None, list[float]] = {share: [] for share in SHARES}
        for _ in range(rounds):
            for share, (server, _) in served.items():
                target = Target(f"traced {share}", server.port)
                rates[share].append(capacity(world.directory, target, _requests(), seconds))
                cpu[share].append(_cpu_of_a_request(world, server, seconds))
        for share, (server, collector) in served.items():
            name = "no collector" if share is None else f"{float(share):.0%} of requests traced"
            ratio = median_ratio(rates[share], rates[None])
            _say(f"{name}: {statistics.median(rates[share]):.0f} requests/s, {ratio:.2f} of those without a collector;")
            spent = statistics.median(cpu[share]) * 1e6
            _say(f"  CPU of a request {spent:.0f} us, {_resident(server):.0f} MiB resident,")
            _say(f"  {_written(server, collector)}")


def _cpu_of_a_request(world: World, server: Server, seconds: float) -> float:
    """Seconds, of the server worker, at a rate that it serves with time to spare."""
    (worker,) = server.children()
    before, counted = worker.cpu_times(), server.metric("http_server_request_duration_seconds_count")
    latency(world.directory, Target("the service", server.port), _requests(), RATE, seconds)
    after, ended = worker.cpu_times(), server.metric("http_server_request_duration_seconds_count")
    return (after.user + after.system - before.user - before.system) / (ended - counted)


def _written(server: Server, collector: Collector) -> str:
    lines = [line for line in server.log_text.splitlines() if '"http.route"' in line]
    spans = collector.spans()
    log = f"{statistics.mean(map(len, lines)) + 1:.0f} bytes of log"
    if not spans:
        return log
    sent = sum(request.ByteSize() for request in collector.requests)
    traces = len({span.trace_id for span in spans})
    return f"{log}; a traced one has {len(spans) / traces:.1f} spans, {sent / traces:.0f} bytes before compression"


def _requests() -> list[Request]:
    """Nine reads and a change in ten."""
    name = f"{time.monotonic_ns()}"
    reads = [Request("GET", "GET", f"/inventory/{sku}", weight=9) for sku in SKUS]
    return [*reads, *(Request("PATCH", "PATCH", f"/inventory/{sku}", f'{{"name": "N {name}"}}') for sku in SKUS)]


@contextmanager
def _serving(world: World, name: str, share: str | None, workers: int = 1) -> Iterator[tuple[Server, Collector]]:
    """With a collector that takes what it is sent."""
    with collecting() as collector:
        traced = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": share,
        }
        settings = {**world.settings(), "workers": workers, **(traced if share is not None else {})}
        with serving(make_directory(world.directory / name), **settings) as server:
            yield server, collector


@contextmanager
def _scraping(server: Server, scrapes: Scrapes, pace: float) -> Iterator[None]:
    """Each so many seconds, as a Prometheus does, until left."""

    def scrape(ended: threading.Event) -> None:
        with httpx.Client(headers=OPENMETRICS) as client:
            wait = pace / 2
            while not ended.wait(wait):
                wait, begun = pace, time.monotonic()
                text = client.get(f"{server.management}/metrics").raise_for_status().content
                scrapes.seconds.append(time.monotonic() - begun)
                scrapes.bytes.append(len(text))

    with meanwhile(scrape):
        yield


def _say(line: str) -> None:
    print(line, flush=True)


sys.exit(main())
