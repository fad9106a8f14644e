"""How PgQueuer reaches the database: by polling alone."""

from datetime import UTC, datetime

from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.domain.models import TableChangedEvent
from pgqueuer.domain.types import Channel
from pgqueuer.ports.driver import NotifyCallback


class PollingDriver(AsyncpgPoolDriver):
    """Listens to nobody, so that it needs no session of its own and works behind a pooler; what is told is told here.

    PgQueuer tells itself something now and then, to see whether it still listens.
    """

    _callback: NotifyCallback | None = None

    async def notify(self, channel: str, payload: str) -> None:
        del channel
        self._tell(payload)

    def look_again(self) -> None:
        """Have the queue looked at now, and not when it is time to."""
        event = TableChangedEvent(
            channel=Channel("-"), sent_at=datetime.now(UTC), type="table_changed_event", operation="delete", table="-"
        )
        self._tell(event.model_dump_json())

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        del channel
        self._callback = callback

    async def remove_listener(self, channel: str, callback: NotifyCallback) -> None:
        del channel, callback
        self._callback = None

    def _tell(self, payload: str) -> None:
        if self._callback is not None:
            self._callback(payload)
