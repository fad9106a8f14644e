"""`inventory-api jobs list | replay ID | purge ID`."""

import getpass
import json
import os
from collections.abc import Callable
from datetime import datetime

from opentelemetry import trace
from uuid_utils.compat import uuid7

from inventory_api.audit import Provenance
from inventory_api.database.pool import Database
from inventory_api.http.pages import MAX_LIMIT
from inventory_api.jobs import service
from inventory_api.jobs.schemas import DeadLetterView
from inventory_api.telemetry.metrics import Metrics

ACQUIRE_SECONDS = 5.0


async def run(dsn: Callable[[], str], action: str, job_id: int, write: Callable[[str], object]) -> None:
    """`list` writes a line of JSON for each dead letter, newest first.

    Raises:
        NotFound: there is no dead letter with this id.
        DependencyUnavailable: the database is not there.
    """
    tracer = trace.NoOpTracerProvider().get_tracer(__name__)
    database = Database(dsn, size=1, acquire_timeout=ACQUIRE_SECONDS, metrics=Metrics(), tracer=tracer)
    await database.open()
    try:
        async with database.session() as session:
            provenance = Provenance(f"cli:{_user()}", str(uuid7()))
            if action == "replay":
                await service.replay(session, job_id, provenance)
                write(f"job {job_id} is started again by the next queue worker")
            elif action == "purge":
                await service.purge(session, job_id, provenance)
                write(f"job {job_id} is removed")
            else:
                after: tuple[datetime | None, int | None] = (None, None)
                while letters := await service.page(session, after, MAX_LIMIT):
                    for letter in letters:
                        write(json.dumps(DeadLetterView.of(letter).model_dump(mode="json")))
                    after = (letters[-1].failed_at, letters[-1].id)
    finally:
        await database.close()


def _user() -> str:
    """Its number where it has no name, as in the container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # KeyError: before Python 3.13
        return str(os.getuid())
