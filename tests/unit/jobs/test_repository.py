"""What PgQueuer does with the outcome of its statements, and what is done here."""

from datetime import UTC, datetime, timedelta
from typing import cast

import asyncpg
import pytest
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import AnyEvent, Job

from inventory_api.jobs.driver import PollingDriver
from inventory_api.jobs.repository import Repository

JOB = Job.model_validate(
    dict.fromkeys(("created", "updated", "heartbeat", "execute_after"), datetime.now(UTC))
    | {
        "id": 1,
        "priority": 0,
        "status": "picked",
        "entrypoint": "event",
        "payload": None,
        "queue_manager_id": None,
        "headers": None,
    }
)


@pytest.fixture
async def told() -> list[str]:
    return []


@pytest.fixture
async def repository(told: list[str]) -> Repository:
    driver = PollingDriver(cast("asyncpg.Pool", None))
    await driver.add_listener("channel", lambda payload: told.append(str(payload)))
    return Repository(driver)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise asyncpg.ConnectionDoesNotExistError("gone")

    monkeypatch.setattr(Queries, "retry_job", refuse)


async def test_when_jobs_have_made_room_the_queue_is_looked_at_at_once(
    repository: Repository, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def log(*_: object) -> None:
        assert told == [], "not before it is written"

    monkeypatch.setattr(PollingDriver, "execute", log)
    await repository.log_jobs([])
    (payload,) = told
    assert AnyEvent.model_validate_json(payload).root.type == "table_changed_event"


@pytest.mark.usefixtures("refusing")
async def test_a_job_of_which_cannot_be_told_that_it_is_to_be_started_again_is_no_failed_one(
    repository: Repository,
) -> None:
    """PgQueuer makes it one where this raises."""
    await repository.retry_job(JOB, timedelta(0), None)
