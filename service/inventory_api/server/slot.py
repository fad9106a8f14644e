"""Which of the server workers this process is, and what it knows of the others."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inventory_api.server.supervision import Supervision


@dataclass(frozen=True, slots=True)
class Slot:
    """`directory` holds the sockets of all slots. Without a supervisor there is one server worker, and no socket.

    `began`: when the whole service did, in seconds since 1970.
    """

    number: int = 0
    directory: Path | None = None
    supervision: Supervision | None = None
    began: float = field(default_factory=time.time)

    def expected(self) -> list[int]:
        """The slots whose server workers should answer, this one's included."""
        return self.supervision.expected() if self.supervision else [self.number]

    def exits(self) -> Iterable[tuple[int, str, int]]:
        """Slot, reason and count of the server workers that have ended."""
        return self.supervision.exits() if self.supervision else ()

    def leave(self) -> None:
        """This server worker's drain begins."""
        if self.supervision:
            self.supervision.leave(self.number)

    def is_last(self) -> bool:
        """Whether nobody will answer here after this server worker: the whole service stops."""
        return self.supervision is None or self.supervision.stopping

    def socket(self, number: int) -> Path | None:
        """Where the server worker in a slot gives its metrics."""
        return self.directory / f"{number}.sock" if self.directory else None
