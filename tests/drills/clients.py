"""Clients that ask again as soon as they are answered, each on a kept connection; otherwise as `generator.py`.

On `Connection: close` a client takes another connection. One that cannot connect is told to go elsewhere, and asks no
more; that is an outcome too, for the drill to judge.
"""

import time
from typing import Any

import uvloop

from .generator import Generator, Pending, main

REFUSED = "ConnectionRefusedError"


class Clients(Generator):
    """The plan's `clients` take the place of its rate."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self._clients: int = plan["clients"]

    def ended(self, *arguments: Any, problem: str = "", **answer: Any) -> None:
        super().ended(*arguments, problem=problem, **answer)
        if problem != REFUSED:
            # Not at once: the connection is still at the end of the answer.
            self._loop.call_soon(self._ask)

    def _begin(self) -> None:
        for _ in range(self._clients):
            self._ask()

    def _ask(self) -> None:
        if not self._stopping.is_set():
            self._send(Pending(self._number, self._cycle[self._number % len(self._cycle)], time.monotonic()))
            self._number += 1


if __name__ == "__main__":
    uvloop.run(main(Clients))
