"""What is done for each kind of job. Each may be done twice: a worker that is believed dead may not be."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from inventory_api import audit
from inventory_api.attachments import service as attachments
from inventory_api.audit import Provenance
from inventory_api.database.pool import Database
from inventory_api.errors import DependencyUnavailable
from inventory_api.http.idempotency import records
from inventory_api.jobs import retention
from inventory_api.jobs.model import ATTACHMENT_SWEEP, EVENT, HOLD_SWEEP, LEDGER_VERIFY, OBJECT_REMOVAL, RETENTION
from inventory_api.reservations import service as reservations
from inventory_api.stock import ledger
from inventory_api.storage.model import Storage
from inventory_api.webhooks import service as webhooks
from inventory_api.webhooks.model import Told
from inventory_api.webhooks.schedule import Schedule

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """One job that is being done."""

    payload: Any
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class RetentionDays:
    """How long rows are kept that only people read."""

    audit: int
    reservations: int
    job_log: int
    webhooks: int
    attachments: int


Handler = Callable[[Work], Awaitable[None]]


class Handlers:
    """All of them, and what they need."""

    def __init__(
        self,
        database: Database,
        dsn: Callable[[], str],
        retention_days: RetentionDays,
        schedule: Schedule,
        wake: Callable[[], None],
        storage: Storage | None,
    ) -> None:
        """`wake` has webhooks sent at once, and not when it is next time to look for some."""
        self._database = database
        self._dsn = dsn
        self._retention_days = retention_days
        self._schedule = schedule
        self._wake = wake
        self._storage = storage

    def by_name(self) -> Mapping[str, Handler]:
        return {
            EVENT.name: self.publish_events,
            HOLD_SWEEP.name: self.sweep_holds,
            LEDGER_VERIFY.name: self.verify_ledger,
            RETENTION.name: self.purge,
            OBJECT_REMOVAL.name: self.remove_objects,
            ATTACHMENT_SWEEP.name: self.sweep_attachments,
        }

    async def publish_events(self, work: Work) -> None:
        """Have what a transaction told of sent to whoever wants it, under the ids that it was given then."""
        told = [_told(event) for event in work.payload]
        async with self._database.session() as session:
            count = await webhooks.fan_out(session, told, self._schedule, work.provenance)
        if count:
            self._wake()
        names = {"event.ids": [str(one.id) for one in told], "event.types": [one.type for one in told]}
        logger.info("%d events are told of by %d webhooks", len(told), count, extra=names)

    async def sweep_holds(self, work: Work) -> None:
        """Let go of everything that expired reservations still hold."""
        provenance = Provenance(reservations.SWEEPER, work.provenance.request_id, work.provenance.trace_id)
        swept = 0
        async with self._database.session() as session:
            while count := await reservations.sweep(session, provenance):
                swept += count
        if swept:
            logger.info("%d expired holds are let go", swept)

    async def remove_objects(self, work: Work) -> None:
        """Those that are not there any more are removed as well."""
        if self._storage is None:
            raise DependencyUnavailable("This worker is set up without a storage for attachments.")
        for part in work.payload:
            await self._storage.remove(part["key"])

    async def sweep_attachments(self, work: Work) -> None:
        """Have uploads that nobody has completed expire, and forget what was deleted."""
        provenance = Provenance(attachments.SWEEPER, work.provenance.request_id, work.provenance.trace_id)
        days = self._retention_days.attachments
        async with self._database.session() as session:
            for what, sweep in (
                ("uploads that nobody has completed have expired", attachments.sweep),
                ("attachments are forgotten", partial(attachments.purge, days=days)),
            ):
                swept = 0
                while count := await sweep(session, provenance):
                    swept += count
                if swept:
                    logger.info("%d %s", swept, what)

    async def verify_ledger(self, work: Work) -> None:
        """Keep how many levels are not the sum of their movements, and say which."""
        del work
        found = await ledger.mismatches(self._dsn())
        async with self._database.session() as session:
            await ledger.record(session, len(found))

    async def purge(self, work: Work) -> None:
        """Remove what nobody asks for any more, some rows at a time."""
        del work
        async with self._database.session() as session:
            for what, purge in (
                ("idempotency records", records.purge),
                ("reservations", partial(reservations.purge, days=self._retention_days.reservations)),
                ("audit rows", partial(audit.purge, days=self._retention_days.audit)),
                ("rows of webhooks", partial(webhooks.purge, days=self._retention_days.webhooks)),
                ("rows of the queue's log", partial(retention.purge_log, days=self._retention_days.job_log)),
            ):
                removed = 0
                while count := await purge(session):
                    removed += count
                if removed:
                    logger.info("%d %s are removed", removed, what)


def _told(event: Mapping[str, Any]) -> Told:
    body = {name: event[name] for name in ("type", "timestamp", "data")}
    return Told(UUID(event["id"]), event["type"], datetime.fromisoformat(event["timestamp"]), body)
