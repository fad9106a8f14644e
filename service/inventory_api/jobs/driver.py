"""How PgQueuer reaches the database: by polling alone."""

from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.ports.driver import NotifyCallback


class PollingDriver(AsyncpgPoolDriver):
    """Listens to nobody, so that it needs no session of its own and works behind a pooler; what is told is told here.

    PgQueuer tells itself something now and then, to see whether it still listens.
    """

    _callback: NotifyCallback | None = None

    async def notify(self, channel: str, payload: str) -> None:
        del channel
        if self._callback is not None:
            self._callback(payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        del channel
        self._callback = callback

    async def remove_listener(self, channel: str, callback: NotifyCallback) -> None:
        del channel, callback
        self._callback = None
