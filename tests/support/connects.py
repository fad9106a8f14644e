"""Which addresses this process tries to connect to, seen on its sockets."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Connects:
    """Of sockets of the network, while it looks. An audit hook cannot be taken away: there is one for all."""

    def __init__(self) -> None:
        self.seen: list[Any] | None = None
        self._is_hooked = False

    def hook(self) -> None:
        if not self._is_hooked:
            sys.addaudithook(self)
            self._is_hooked = True

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is None or event != "socket.connect":
            return
        if arguments[0].family in {socket.AF_INET, socket.AF_INET6}:
            self.seen.append(arguments[1])


_CONNECTS = _Connects()


@contextmanager
def connects_seen() -> Iterator[list[Any]]:
    """Those that are tried within the block, whether or not anybody answers."""
    _CONNECTS.hook()
    seen = _CONNECTS.seen = []
    try:
        yield seen
    finally:
        _CONNECTS.seen = None
