"""Every panel of every dashboard has data, of a real Prometheus that scrapes the real service."""

import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from observability.dashboards import asked
from observability.generate import CHART
from observability.rules import Options

from observability import rules
from tests.support.process import Server, free_ports
from tests.support.prometheus import JOB, Prometheus, Target, is_there, prometheus
from tests.support.waiting import let_pass, wait_until

from . import traffic
from .drill import Drill, all_up, metric
from .faults import frozen
from .partners import fails, has_left, partners, subscribe
from .queueing import queue_workers
from .world import make_directory

BOARDS = [json.loads(path.read_text()) for path in sorted((CHART / "files" / "dashboards").iterdir())]
# Requests/s: below the limit of a key, and above it.
RATE, BURST = 60.0, 200.0
NAMESPACE = "drill"
# An hour is a minute.
DIVIDE = 60
# Of the scrapes, which are a second apart.
CHOSEN = {
    "cluster": ".*",
    "namespace": NAMESPACE,
    "job": JOB,
    "instance": ".*",
    "route": ".*",
    "release": ".*",
    "__rate_interval": "5s",
}
LABEL = re.compile(r"\{\{(\w+)\}\}")
ENQUEUE = "INSERT INTO pgqueuer (entrypoint, priority, payload, headers, status) VALUES ($1, 0, $2, '{}', 'queued')"
NOT_JSON = b"{"
PAST_THE_SERVICE = "UPDATE stock_level SET on_hand = on_hand + 1 WHERE sku = $1"
MEMORY_BYTES = 2**30
# Of control groups, which cannot be made on every machine.
OF_THE_MACHINE = ("cgroup_memory_working_set_bytes", "cgroup_memory_limit_bytes")
HEADINGS = ("dashboard", "panels", "with data", "expressions", "with data", "not only 0", "series")
WIDTHS = (28, 8, 11, 13, 11, 12, 8)


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prometheus has for a question: how many series have a value, and which labels of the legend they lack."""

    question: asked.Question
    series: int
    is_zero: bool
    lacking: frozenset[str]
    exemplars: int


@pytest.mark.skipif(not is_there(), reason="NOT PROVEN: no prometheus is on PATH, and so no panel was seen with data")
def test_every_panel_has_data(drill: Drill, request: pytest.FixtureRequest) -> None:
    """Two server workers, a queue worker, faults, and a Prometheus: what each panel of each dashboard has to show"""
    kept: str | None = request.config.getoption("--keep-data")
    data = Path(kept).absolute() if kept else make_directory(drill.world.directory / "data")
    storage = make_directory(drill.world.directory / "storage")
    server = _serve(drill, storage)
    shared = {"storage_url": f"file://{storage}", "webhook_loopback": "true", "webhook_delays": "0,1,1"}
    with partners() as there, queue_workers(drill, 1, **shared) as queue:
        targets = [
            Target(server.management, NAMESPACE, "inventory-api-0"),
            Target(queue.alive[0].management, NAMESPACE, "inventory-api-worker-0"),
        ]
        written = rules.render(Options(namespace=NAMESPACE, release="inventory-api", divide=DIVIDE))
        with prometheus(make_directory(drill.world.directory / "prometheus"), targets, written, data) as watching:
            wait_until(lambda: watching.targets_are_up(1 + len(targets)))
            for partner in (there.add(), there.add(fails), there.add(has_left)):
                subscribe(server, partner, "order.created")
            began = time.time()
            _disturb(drill, server, storage)
            answers = [_answered(question, watching, began, time.time()) for question in _questions()]
            drill.report.claim("every rule is evaluated", not watching.broken_rules(), watching.broken_rules())
    _tell(drill, answers)
    unknown = [name for name in OF_THE_MACHINE if not metric(server, name)]
    _claim(drill, answers, {found: name for found in _questions() for name in unknown if name in found.expression})
    if kept:
        drill.report.say(f"what Prometheus has seen, from {began:.0f} to {time.time():.0f}, is in {kept}")
    drill.report.verdict()


def _serve(drill: Drill, storage: Path) -> Server:
    (nobody,) = free_ports(1)
    return drill.serve(
        memory=MEMORY_BYTES,
        workers=2,
        pool_max=4,
        webhook_loopback="true",
        rate_limit=traffic.RATE_LIMIT,
        storage_url=f"file://{storage}",
        api_keys_file=traffic.keys(drill.world.directory / "several-keys.json"),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{nobody}",
        OTEL_TRACES_SAMPLER="parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0.2",
    )


def _disturb(drill: Drill, server: Server, storage: Path) -> None:
    """Calm, then one thing after the other, then calm again."""
    skus = traffic.stock(server, 5)
    load = drill.load(server, traffic.requests(skus), rate=RATE)
    mark = drill.timeline.mark
    mark("calm")
    let_pass(5)
    mark("files, jobs and a burst")
    traffic.files(server, skus[0], storage)
    drill.world.fetch(PAST_THE_SERVICE, skus[-1])
    for entrypoint, payload in (("ledger_verify", None), ("event", NOT_JSON)):
        drill.world.fetch(ENQUEUE, entrypoint, payload)
    burst = drill.load(server, traffic.greedy(), rate=BURST)
    let_pass(2)
    asked_too_often = burst.stop()
    limited = asked_too_often.where(lambda outcome: outcome.status == 429)
    drill.report.say(f"told that they are too many: {len(limited)} of {len(asked_too_often)} requests of one key")
    mark("Redis is frozen", disturbed=True)
    with frozen(drill.world.redis_process()):
        let_pass(3)
    # Twice: a series that comes with its first failure has no rate before its second.
    for time_of_it in ("PostgreSQL is frozen", "PostgreSQL is frozen again"):
        mark(time_of_it, disturbed=True)
        with frozen(drill.world.postgres_process()):
            let_pass(4)
        wait_until(server.is_ready)
    mark("after", disturbed=True)
    traffic.files(server, skus[0], storage)
    server.server_workers()[0].kill()
    wait_until(lambda: all_up(server, 2))
    let_pass(6)
    drill.report.load(drill.timeline.phases(load.stop()))


def _questions() -> Iterator[asked.Question]:
    for board in BOARDS:
        yield from asked.questions(board)


def _answered(question: asked.Question, watching: Prometheus, start: float, end: float) -> Answer:
    expression = question.asked(CHOSEN)
    if question.is_instant:
        series = [(one["metric"], [one["value"]]) for one in watching.query(expression, end)]
    else:
        series = [(one["metric"], one["values"]) for one in watching.query_range(expression, start, end, 1)]
    numbers = [(labels, [float(value) for _, value in values]) for labels, values in series]
    found = [(labels, values) for labels, values in numbers if any(map(math.isfinite, values))]
    lacking = {label for label in LABEL.findall(question.legend) for labels, _ in found if label not in labels}
    is_zero = not any(value for _, values in found for value in values if math.isfinite(value))
    exemplars = watching.exemplars(expression, start, end) if question.exemplars else []
    traced = [exemplar for exemplar in exemplars if exemplar["labels"].get("trace_id")]
    return Answer(question, len(found), is_zero, frozenset(lacking), len(traced))


def _tell(drill: Drill, answers: Sequence[Answer]) -> None:
    rows: list[Sequence[object]] = [HEADINGS]
    for board in BOARDS:
        own = [answer for answer in answers if answer.question.board == board["uid"]]
        titles = [panel["title"] for panel in asked.panels(board)]
        has = sum(all(answer.series for answer in own if answer.question.where == title) for title in titles)
        moved = sum(not answer.is_zero for answer in own)
        some = sum(answer.series > 0 for answer in own)
        rows.append((board["uid"], len(titles), has, len(own), some, moved, sum(answer.series for answer in own)))
    rows.append(("all", *(sum(int(str(row[at])) for row in rows[1:]) for at in range(1, len(HEADINGS)))))
    for name, *numbers in rows:
        columns = (f"{number:>{width}}" for number, width in zip(numbers, WIDTHS[1:], strict=True))
        drill.report.say(f"{name:<{WIDTHS[0]}}{''.join(columns)}")
    still = [f"{where} {legend}".strip() for answer in answers if answer.series and answer.is_zero
             for _, where, legend in [_name(answer)]]  # fmt: skip
    drill.report.say(f"only 0: {'; '.join(still) or 'none'}")


def _claim(drill: Drill, answers: Sequence[Answer], excused: Mapping[asked.Question, str]) -> None:
    """`excused`: what cannot be answered here, by the metric that this machine gives no value for."""
    for question, name in excused.items():
        drill.report.say(f"NOT CLAIMED, as there is no {name} here: {question.board}, {question.where}")
    empty = [_name(answer) for answer in answers if not answer.series and answer.question not in excused]
    drill.report.claim("every expression has a value", not empty, empty or len(answers) - len(excused))
    lacking = {_name(answer): sorted(answer.lacking) for answer in answers if answer.lacking}
    drill.report.claim("every series has the labels that its legend names", not lacking, lacking or "")
    marked = {answer.question.where: answer.exemplars for answer in answers if answer.question.exemplars}
    drill.report.claim("where exemplars are asked for, they have a trace", all(marked.values()), marked)


def _name(answer: Answer) -> tuple[str, str, str]:
    return answer.question.board, answer.question.where, answer.question.legend
