"""What the supervisor and its server workers tell each other: a page of memory that all of them share.

It is made before the first fork and never copied, so that it survives every server worker. Each cell has one writer at
a time: the supervisor, or the server worker whose slot it is.
"""

import mmap
from collections.abc import Iterator
from typing import Literal

from inventory_api.telemetry.metrics import EXIT_REASONS

ExitReason = Literal["stopped", "wedged", "killed", "crashed", "failed"]

CELL_BYTES = 8
VACANT, SERVING, LEAVING = range(3)
# Slot states, then the exits by slot and reason, behind the one cell that says that all is stopping.
FIRST_STATE = 1


class Supervision:
    """Slots 0 to `workers` - 1, and as many again for a reload, in which new server workers stand beside the old."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._slots = 2 * workers
        cells = FIRST_STATE + self._slots * (1 + len(EXIT_REASONS))
        self._cells = memoryview(mmap.mmap(-1, cells * CELL_BYTES)).cast("Q")

    @property
    def stopping(self) -> bool:
        """Whether the whole service stops, and not just one server worker, whose successor goes on."""
        return bool(self._cells[0])

    def stop(self) -> None:
        self._cells[0] = 1

    def is_full(self) -> bool:
        """Whether every slot is taken: as many server workers leave as there should be."""
        return VACANT not in self._states()

    def take_slot(self) -> int:
        """The first vacant slot, taken. There is one unless `is_full`."""
        number = self._states().index(VACANT)
        self._set_state(number, SERVING)
        return number

    def leave(self, number: int) -> None:
        """Said as its drain begins, so that its successor need not wait for its end."""
        self._set_state(number, LEAVING)

    def is_serving(self, number: int) -> bool:
        return self._states()[number] == SERVING

    def end(self, number: int, reason: ExitReason) -> None:
        """The process in a slot has ended."""
        self._set_state(number, VACANT)
        self._cells[self._exit_cell(number, EXIT_REASONS.index(reason))] += 1

    def expected(self) -> list[int]:
        """The slots whose server workers should answer: the taken ones, and vacant ones up to what is configured."""
        states = self._states()
        taken = [number for number, state in enumerate(states) if state != VACANT]
        vacant = [number for number, state in enumerate(states) if state == VACANT]
        return sorted(taken + vacant[: max(self.workers - len(taken), 0)])

    def exits(self) -> Iterator[tuple[int, str, int]]:
        """Slot, reason and count, for every slot that was ever taken or is expected to be."""
        expected = self.expected()
        for number in range(self._slots):
            counts = [self._cells[self._exit_cell(number, index)] for index in range(len(EXIT_REASONS))]
            if number in expected or any(counts):
                for reason, count in zip(EXIT_REASONS, counts, strict=True):
                    yield number, reason, count

    def _states(self) -> list[int]:
        return self._cells[FIRST_STATE : FIRST_STATE + self._slots].tolist()

    def _set_state(self, number: int, state: int) -> None:
        self._cells[FIRST_STATE + number] = state

    def _exit_cell(self, number: int, reason: int) -> int:
        return FIRST_STATE + self._slots + number * len(EXIT_REASONS) + reason
