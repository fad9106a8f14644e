"""One SQL statement with the name by which it is measured and traced."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

# What would outlive the unit of work on its connection: settings, listeners, cursors, prepared statements, temporary
# tables, and locks of the session.
SESSION_STATE = re.compile(
    r"\A\s*(SET\s+(?!LOCAL\b)|RESET\b|LISTEN\b|DECLARE\b|PREPARE\b|LOAD\b|CREATE\s+((LOCAL|GLOBAL)\s+)?TEMP(ORARY)?\s)"
    r"|\bpg_(try_)?advisory_lock|\bset_config\([^)]*,\s*false\s*\)",
    re.IGNORECASE,
)
PARAMETER = re.compile(r"\$(\d+)")


@dataclass(frozen=True)
class Statement:
    """`name` is the `query_name` label and the span's name: `<domain>.<what it does>`.

    Raises:
        ValueError: it changes the state of its session. The pool hands connections on without a reset, which would
            cost a round trip for each unit of work, so nothing may be left behind on one.
    """

    name: str
    sql: str

    def __post_init__(self) -> None:
        if SESSION_STATE.search(self.sql):
            raise ValueError(
                f"{self.name} leaves state behind in its session; use SET LOCAL, or a lock of the transaction"
            )

    @cached_property
    def parameters(self) -> int:
        """How many arguments it takes."""
        return max((int(number) for number in PARAMETER.findall(self.sql)), default=0)

    @cached_property
    def attributes(self) -> Mapping[str, str]:
        """Those of its span, by the semantic conventions."""
        return {"db.system.name": "postgresql", "db.query.summary": self.name, "db.query.text": self.sql}


def columns(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """The arguments of a statement that takes each column of some rows as an array."""
    return [list(column) for column in zip(*rows, strict=True)]


@lru_cache(maxsize=256)
def together(first: tuple[Statement, ...], last: Statement) -> Statement:
    """All of them as one statement, for one round trip; its arguments are theirs, in order, and its result is `last`'s.

    None sees what another one writes.

    Raises:
        ValueError: one of `first` is not a single INSERT: within a WITH, PostgreSQL takes no WITH that writes.
    """
    parts, count = [], 0
    for number, statement in enumerate(first):
        if not statement.sql.lstrip().startswith("INSERT"):
            raise ValueError(f"{statement.name} is no INSERT, and cannot be sent together with others")
        parts.append(f"part_{number} AS ({_renumbered(statement.sql, count)})")
        count += statement.parameters
    name = "+".join(statement.name for statement in (*first, last))
    return Statement(name, f"WITH {', '.join(parts)} {_renumbered(last.sql, count)}") if parts else last


def _renumbered(sql: str, offset: int) -> str:
    return PARAMETER.sub(lambda found: f"${int(found[1]) + offset}", sql)
