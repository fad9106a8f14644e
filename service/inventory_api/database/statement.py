"""One SQL statement with the name by which it is measured and traced."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Statement:
    """`name` is the `query_name` label and the span's name: `<domain>.<what it does>`."""

    name: str
    sql: str

    @cached_property
    def attributes(self) -> Mapping[str, str]:
        """Those of its span, by the semantic conventions."""
        return {"db.system.name": "postgresql", "db.query.summary": self.name, "db.query.text": self.sql}
