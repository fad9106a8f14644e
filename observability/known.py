"""All that expressions may read here: the catalogue, what the rules record, and what is foreign."""

from collections.abc import Iterable, Iterator, Mapping

from inventory_api.telemetry.metrics import CATALOGUE

from . import promql
from .foreign import FOREIGN
from .rules import Options, Record, groups
from .vocabulary import Series, Vocabulary, of_catalogue


def vocabulary(closed: Mapping[str, frozenset[str]] | None = None) -> Vocabulary:
    """`closed`: as `of_catalogue` has it."""
    return Vocabulary([*of_catalogue(CATALOGUE, closed or {}), *FOREIGN, *recorded()])


def recorded() -> Iterator[Series]:
    """What the rules record, with all values that each of its labels has."""
    rules = [rule for group in groups(Options("", "")) for rule in group.rules if isinstance(rule, Record)]
    for name in dict.fromkeys(rule.name for rule in rules):
        of_name = [rule for rule in rules if rule.name == name]
        labels = {label for rule in of_name for label in rule.labels} - {"release"}
        values = {label: frozenset(rule.labels[label] for rule in of_name) for label in sorted(labels)}
        yield Series(name, "gauge", {"release": None, **values, **dict.fromkeys(_kept(of_name))})


def _kept(rules: Iterable[Record]) -> Iterator[str]:
    """The labels by which they are grouped."""
    for rule in rules:
        yield from sorted(promql.read(rule.expression).groups)
