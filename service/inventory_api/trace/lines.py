"""Lines of a file or of stdin, within a bound of time: nobody knows when a pipe ends."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from inventory_api.trace.model import SourceFailed

STDIN = "-"
T = TypeVar("T")


def lines(path: str) -> Iterator[str]:
    """
    Raises:
        OSError: it cannot be read.
    """
    if path == STDIN:
        yield from sys.stdin
        return
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        yield from file


class Reading(Generic[T]):
    """Keeps what `select` takes of a file's lines, at most `most`; a thread reads them, which ends with the process."""

    def __init__(self, path: str, select: Callable[[Iterable[str]], Iterable[T]], most: int) -> None:
        self._path = path
        self._select = select
        self._most = most
        self._found: list[T] = []
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._read, name=f"reads {path}", daemon=True)

    def within(self, seconds: float) -> tuple[list[T], str | None]:
        """What there is, and why it may not be all.

        Raises:
            SourceFailed: it cannot be read.
        """
        self._thread.start()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._problem = f"not read to its end within {seconds:g} s"
        if self._problem is not None and not self._found:
            raise SourceFailed(self._problem)
        return [*self._found], self._problem

    def _read(self) -> None:
        try:
            for one in self._select(lines(self._path)):
                if len(self._found) == self._most:
                    self._problem = f"there are more than {self._most}; these are the first"
                    return
                self._found.append(one)
        except OSError as error:
            self._problem = error.strerror or type(error).__name__
        except ValueError as error:
            self._problem = str(error)
