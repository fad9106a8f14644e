"""What can be done with dead letters. Every change is one transaction with its audit row."""

from datetime import datetime

from inventory_api import audit
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.errors import NotFound
from inventory_api.jobs import queries
from inventory_api.jobs.queries import DeadLetter, Known


def resource(job_id: int) -> str:
    """The name of a job in the audit."""
    return f"job:{job_id}"


async def page(session: Session, after: tuple[datetime | None, int | None], limit: int) -> list[DeadLetter]:
    """At most `limit` dead letters that come after the position `after`, newest first."""
    return await queries.page(session, after, limit)


@in_transaction
async def replay(session: Session, job_id: int, provenance: Provenance) -> None:
    """Let a queue worker start it again, as often as a new one.

    Raises:
        NotFound: there is no dead letter with this id.
    """
    await _record(session, "replay", job_id, await queries.replay(session, job_id), "queued", provenance)


@in_transaction
async def purge(session: Session, job_id: int, provenance: Provenance) -> None:
    """Remove it; what it was for is never done.

    Raises:
        NotFound: there is no dead letter with this id.
    """
    await _record(session, "purge", job_id, await queries.purge(session, job_id), None, provenance)


async def _record(
    session: Session, action: str, job_id: int, known: Known | None, status: str | None, provenance: Provenance
) -> None:
    """Of one that is gone the audit keeps what it was for."""
    if known is None:
        raise NotFound("There is no dead letter with this id.")
    what = {"entrypoint": known.entrypoint, "payload": known.payload}
    before, after = {"status": "dead", **what}, {"status": status, **(what if status else {})}
    await audit.record(session, action, {resource(job_id): audit.difference(before, after)}, provenance)
