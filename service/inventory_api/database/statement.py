"""One SQL statement with the name by which it is measured and traced."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """`name` is the `query_name` label and the span's name: `<domain>.<what it does>`."""

    name: str
    sql: str
