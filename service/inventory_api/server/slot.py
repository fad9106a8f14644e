"""Which of the server workers this process is."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Slot:
    """`number` is 0 to `count` - 1; a restarted worker takes the free one. `directory` holds the siblings' sockets."""

    number: int = 0
    count: int = 1
    directory: Path | None = None

    def socket(self, number: int) -> Path | None:
        """Where the worker in a slot gives its metrics."""
        return self.directory / f"{number}.sock" if self.directory else None


def first_free(taken: Collection[int]) -> int:
    return next(number for number in range(len(taken) + 1) if number not in taken)
