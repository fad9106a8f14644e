"""Which series there are, and what may be asked of them: rules, panels and pages that ask for others are wrong.

A misspelt name or value is no error in Prometheus: the answer is empty, and an alert on it never fires.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client.utils import INF, floatToGoString

from inventory_api.telemetry.metrics import Metric

from . import promql
from .promql import Matcher, Selector

# What whoever scrapes adds, and what is added where the metrics of all server workers are gathered.
TARGET_LABELS = (
    "cluster", "container", "endpoint", "instance", "job", "namespace", "node", "pod", "server_worker", "service",
)  # fmt: skip
# A counter alone says nothing: it begins at 0 with every process. Whether there is one may be asked.
OF_COUNTERS = frozenset({"rate", "irate", "increase", "resets"})
OF_ANY = frozenset({"absent", "absent_over_time", "count", "group", "count_over_time", "present_over_time"})
# `None`: any value.
Values = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Series:
    """Those of one name, with their own labels."""

    name: str
    kind: Literal["counter", "gauge"]
    labels: Mapping[str, Values]


class Vocabulary:
    """All series that expressions may read."""

    def __init__(self, series: Iterable[Series]) -> None:
        self._series = {one.name: one for one in series}

    def problems(self, expression: str) -> list[str]:
        """What is wrong with an expression; nothing where all that it reads can be there."""
        try:
            reading = promql.read(expression)
        except promql.InvalidExpression as error:
            return [f"it is not PromQL: {error}"]
        known = {*TARGET_LABELS, "le"}.union(*(self._labels(selector) for selector in reading.selectors))
        groups = [f"nothing that it reads has the label {label}" for label in sorted(reading.groups - known)]
        return [problem for selector in reading.selectors for problem in self._of_selector(selector)] + groups

    def _labels(self, selector: Selector) -> Iterable[str]:
        found = self._series.get(selector.metric)
        return found.labels if found else ()

    def _of_selector(self, selector: Selector) -> Iterator[str]:
        found = self._series.get(selector.metric)
        if found is None:
            yield f"there is no metric {selector.metric}" if selector.metric else "it names no metric"
            return
        for matcher in selector.matchers:
            yield from _of_matcher(found, matcher)
        if found.kind == "counter" and selector.handed_to not in OF_COUNTERS | OF_ANY:
            yield f"{found.name} is a counter: take its rate"
        if found.kind == "gauge" and selector.handed_to in OF_COUNTERS:
            yield f"{found.name} is no counter, and has no {selector.handed_to}"


def of_catalogue(catalogue: Iterable[Metric], closed: Mapping[str, frozenset[str]]) -> Iterator[Series]:
    """`closed`: the values of what the catalogue only describes, by that description; any, where it is not there."""
    for metric in catalogue:
        labels: dict[str, Values] = {
            name: closed.get(values) if isinstance(values, str) else frozenset(values)
            for name, values in metric.labels.items()
        }
        if metric.kind != "histogram":
            yield Series(metric.name, metric.kind, labels)
            continue
        edges = frozenset(floatToGoString(edge) for edge in (*metric.buckets, INF))  # type: ignore[no-untyped-call]
        yield Series(f"{metric.name}_bucket", "counter", {**labels, "le": edges})
        yield Series(f"{metric.name}_sum", "counter", labels)
        yield Series(f"{metric.name}_count", "counter", labels)


def _alternatives(pattern: str) -> list[str]:
    """Of a pattern without parentheses, in which a bar could mean another thing."""
    return [pattern] if "(" in pattern else pattern.split("|")


def _of_matcher(series: Series, matcher: Matcher) -> Iterator[str]:
    if matcher.label in TARGET_LABELS:
        return
    if matcher.label not in series.labels:
        yield f"{series.name} has no label {matcher.label}"
        return
    values = series.labels[matcher.label]
    if values is None or matcher.value == "":
        return
    if matcher.operator in ("=", "!="):
        is_known = matcher.value in values
    else:
        # Of alternatives each must be one.
        is_known = all(any(re.fullmatch(part, value) for value in values) for part in _alternatives(matcher.value))
    if not is_known:
        yield f"{series.name}: no {matcher.label} is {matcher.operator.lstrip('!')} {matcher.value}"
