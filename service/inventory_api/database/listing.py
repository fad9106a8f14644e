"""Statements of lists with optional filters: one for each combination, so that each has a plan of its own.

With `$1 IS NULL OR ...` in one statement for all, PostgreSQL would sooner or later plan for none of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from inventory_api.database.statement import Statement

Given = Mapping[str, tuple[Any, ...]]


def given(after: Sequence[Any], **filters: Any) -> dict[str, tuple[Any, ...]]:
    """The conditions that narrow a list, with their arguments: the filters that are not None, and `after`.

    The parts of the position `after` are None where the list begins.
    """
    conditions = {name: (value,) for name, value in filters.items() if value is not None}
    return conditions if after[0] is None else {**conditions, "after": tuple(after)}


class Listing:
    """`sql` has `{where}` and `{limit}`; each condition has `{}` where its argument is, if it has one."""

    def __init__(self, name: str, sql: str, conditions: Mapping[str, str]) -> None:
        self._name = name
        self._sql = sql
        self._conditions = conditions
        self._statements: dict[tuple[str, ...], Statement] = {}

    def page(self, conditions: Given, limit: int) -> tuple[Statement, list[Any]]:
        """The statement for the conditions that are given, and its arguments: theirs, then the limit."""
        names = tuple(conditions)
        if names not in self._statements:
            self._statements[names] = self._statement(conditions)
        return self._statements[names], [
            *(argument for arguments in conditions.values() for argument in arguments),
            limit,
        ]

    def _statement(self, conditions: Given) -> Statement:
        number, parts = 1, []
        for name, arguments in conditions.items():
            parts.append(self._conditions[name].format(*(f"${number + index}" for index in range(len(arguments)))))
            number += len(arguments)
        where = "WHERE " + "\n      AND ".join(parts) if parts else ""
        return Statement(self._name, self._sql.format(where=where, limit=f"${number}"))
