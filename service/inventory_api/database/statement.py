"""One SQL statement with the name by which it is measured and traced."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

# What would outlive the unit of work on its connection: settings, listeners, cursors, prepared statements, temporary
# tables, and locks of the session.
SESSION_STATE = re.compile(
    r"\A\s*(SET\s+(?!LOCAL\b)|RESET\b|LISTEN\b|DECLARE\b|PREPARE\b|LOAD\b|CREATE\s+((LOCAL|GLOBAL)\s+)?TEMP(ORARY)?\s)"
    r"|\bpg_(try_)?advisory_lock|\bset_config\([^)]*,\s*false\s*\)",
    re.IGNORECASE,
)


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
    def attributes(self) -> Mapping[str, str]:
        """Those of its span, by the semantic conventions."""
        return {"db.system.name": "postgresql", "db.query.summary": self.name, "db.query.text": self.sql}
