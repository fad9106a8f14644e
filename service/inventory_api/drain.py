"""Whether this process is on its way out. Set once, by the server worker; read by readiness and by every response."""

from collections.abc import Callable


class Drain:
    """From `begin` on, every response closes its connection; `is_last` tells whether a successor stands beside."""

    def __init__(self, is_last: Callable[[], bool] = lambda: True) -> None:
        self._is_last = is_last
        self._begun = False

    def begin(self) -> None:
        self._begun = True

    @property
    def closing(self) -> bool:
        """Whether clients should take another connection. It still answers."""
        return self._begun

    @property
    def draining(self) -> bool:
        """Whether they should go elsewhere: nobody will answer at this address after it."""
        return self._begun and self._is_last()
