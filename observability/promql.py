"""What an expression of PromQL reads: its selectors, what each is handed to, and the labels it groups and joins by."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import promql_parser

Operator = Literal["=", "!=", "=~", "!~"]
OPERATORS: dict[str, Operator] = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}
# They make a label, which is named by the first text among their arguments.
MAKES_LABEL = ("label_replace", "label_join")


class InvalidExpression(ValueError):
    """It is not PromQL."""


@dataclass(frozen=True, slots=True)
class Matcher:
    label: str
    operator: Operator
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """`handed_to`: the function or the aggregation right around it, of which it is an argument; empty where none is."""

    metric: str
    matchers: tuple[Matcher, ...]
    handed_to: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Of a whole expression. `groups` are the labels that it groups and joins by, but for the `made` of its own."""

    selectors: tuple[Selector, ...]
    groups: frozenset[str]
    made: frozenset[str]


def read(expression: str) -> Reading:
    """
    Raises:
        InvalidExpression: see there; the message says where.
    """
    try:
        root = promql_parser.parse(expression)
    except ValueError as error:
        raise InvalidExpression(str(error)) from error
    nodes = list(_nodes(root, ""))
    selectors = tuple(_selector(*found) for found in nodes if isinstance(found[0], promql_parser.VectorSelector))
    made = {label for node, _ in nodes for label in _made_labels(node)}
    groups = {label for node, _ in nodes for label in _group_labels(node)}
    return Reading(selectors, frozenset(groups - made), frozenset(made))


def _nodes(node: Any, around: str) -> Iterator[tuple[Any, str]]:
    """It and all within it, each with what it is handed to."""
    yield node, around
    match node:
        case promql_parser.Call():
            for argument in node.args:
                yield from _nodes(argument, node.func.name)
        case promql_parser.AggregateExpr():
            yield from _nodes(node.expr, str(node.op))
        case promql_parser.MatrixSelector():
            yield from _nodes(node.vector_selector, around)
        case promql_parser.SubqueryExpr() | promql_parser.ParenExpr():
            yield from _nodes(node.expr, around)
        case promql_parser.UnaryExpr():
            yield from _nodes(node.expr, "")
        case promql_parser.BinaryExpr():
            yield from _nodes(node.lhs, "")
            yield from _nodes(node.rhs, "")


def _selector(node: Any, around: str) -> Selector:
    matchers = [Matcher(found.name, OPERATORS[str(found.op)], found.value) for found in node.matchers.matchers]
    name = node.name or next((found.value for found in matchers if found.label == "__name__"), "")
    return Selector(name, tuple(found for found in matchers if found.label != "__name__"), around)


def _group_labels(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
        yield from node.modifier.labels
    if isinstance(node, promql_parser.BinaryExpr) and node.modifier is not None:
        yield from node.modifier.group_labels or ()
        yield from node.modifier.matching.labels if node.modifier.matching is not None else ()


def _made_labels(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.Call) and node.func.name in MAKES_LABEL:
        yield next(argument.val for argument in node.args if isinstance(argument, promql_parser.StringLiteral))
    if isinstance(node, promql_parser.AggregateExpr) and isinstance(node.param, promql_parser.StringLiteral):
        yield node.param.val
