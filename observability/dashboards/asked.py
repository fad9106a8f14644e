"""What dashboards ask Prometheus for, read from their JSON: of what is shipped, not of what makes it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# `label_values(series, label)`, as variables ask.
LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([a-z_]\w*))")


@dataclass(frozen=True, slots=True)
class Question:
    """One expression, with Grafana's variables in it. `where`: the title of its panel, or what else it is of."""

    board: str
    where: str
    expression: str
    legend: str = ""
    is_instant: bool = False
    exemplars: bool = False

    def asked(self, values: Mapping[str, str]) -> str:
        """As Prometheus is asked where those are chosen; of `__rate_interval` too.

        Raises:
            KeyError: the value of a variable is not there.
        """
        return VARIABLE.sub(lambda found: values[found[1] or found[2]], self.expression)

    @property
    def variables(self) -> frozenset[str]:
        """Those in it."""
        return frozenset(found[1] or found[2] for found in VARIABLE.finditer(self.expression))


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All but the titles of sections."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def questions(board: Mapping[str, Any]) -> Iterator[Question]:
    """Of its panels, of its marks, of its variables."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield Question(
                board["uid"],
                panel["title"],
                target["expr"],
                target["legendFormat"],
                bool(target.get("instant")),
                bool(target.get("exemplar")),
            )
    for mark in board["annotations"]["list"]:
        yield Question(board["uid"], f"marks: {mark['name']}", mark["expr"])
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found = LABEL_VALUES.fullmatch(variable["query"]["query"])
            if found is None:
                raise ValueError(f"{board['uid']}: what does the variable {variable['name']} ask?")
            counted = f"count by ({found['label']}) ({found['series']})"
            yield Question(board["uid"], f"variable: {variable['name']}", counted, is_instant=True)
