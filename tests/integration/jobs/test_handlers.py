"""What the service's own jobs do, and that schedules begin them."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from tests.support.database import execute, fetch
from tests.support.delivering import RETENTION, add_endpoint, send_test
from tests.support.selling import EXPIRE, level, line, post, reserve
from tests.support.service import Service
from tests.support.working import BY_THE_TEST, QUICK, database, until, working

from inventory_api import audit
from inventory_api.http.idempotency import records
from inventory_api.jobs import gauges
from inventory_api.jobs.handlers import Handlers, Work
from inventory_api.reservations import service as reservations
from inventory_api.telemetry.metrics import Metrics
from inventory_api.webhooks.schedule import Schedule

WORK = Work({}, BY_THE_TEST)
EVERY_SECOND = "* * * * * *"


@pytest.fixture
async def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def handlers(database_url: str, metrics: Metrics) -> AsyncIterator[Handlers]:
    async with database(database_url, metrics) as opened:
        yield Handlers(opened, lambda: database_url, RETENTION, Schedule(), lambda: None, None)


async def test_the_sweep_lets_go_of_every_expired_hold(service: Service, handlers: Handlers, database_url: str) -> None:
    (await service.put("A-1")).raise_for_status()
    held = (await reserve(service, line("A-1", 4))).json()
    await reserve(service, line("A-1", 1))
    await execute(database_url, EXPIRE.format(held["id"]))
    await handlers.sweep_holds(WORK)
    assert await level(service, "A-1") == (10, 1)


async def test_however_many_they_are(
    service: Service, handlers: Handlers, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservations, "SWEPT", 2)
    for number in range(5):
        (await service.put(f"A-{number}")).raise_for_status()
    held = (await reserve(service, *(line(f"A-{number}", 1) for number in range(5)))).json()
    await execute(database_url, EXPIRE.format(held["id"]))
    await handlers.sweep_holds(WORK)
    assert [await level(service, f"A-{number}") for number in range(5)] == [(10, 0)] * 5


async def test_a_level_that_is_not_the_sum_of_its_movements_is_counted(
    service: Service, handlers: Handlers, database_url: str
) -> None:
    """And told by every queue worker, whoever has looked."""

    async def told() -> tuple[float | None, bool]:
        other = Metrics()
        async with database(database_url, other) as opened:
            await gauges.take(opened, other)
        looked = (other.registry.get_sample_value("ledger_checked_timestamp_seconds") or 0) > 0
        return other.registry.get_sample_value("ledger_mismatch_levels"), looked

    for sku in ("A-1", "B-2"):
        (await service.put(sku)).raise_for_status()
    assert await told() == (0, False)
    await execute(database_url, "UPDATE stock_level SET on_hand = on_hand + 1 WHERE sku = 'B-2'")
    await handlers.verify_ledger(WORK)
    assert await told() == (1, True)
    await execute(database_url, "UPDATE stock_level SET on_hand = on_hand - 1 WHERE sku = 'B-2'")
    await handlers.verify_ledger(WORK)
    assert await told() == (0, True)


async def test_what_waits_is_told_of_each_kind_and_of_those_that_nobody_knows(database_url: str) -> None:
    await execute(
        database_url,
        """
        INSERT INTO pgqueuer (priority, status, entrypoint, execute_after)
        VALUES (0, 'queued', 'event', now() - interval '9 seconds'), (0, 'queued', 'event', now()),
               (0, 'queued', 'event', now() + interval '1 hour'), (0, 'queued', 'of-the-next-release', now()),
               (0, 'queued', 'of-another', now()), (0, 'failed', 'retention', now())""",
    )
    metrics = Metrics()
    async with database(database_url, metrics) as opened:
        await gauges.take(opened, metrics)

    def value(name: str, entrypoint: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"entrypoint": entrypoint})

    assert [value("jobs_pending", kind) for kind in ("event", "other", "retention")] == [2, 2, 0]
    assert [value("jobs_dead_letters", kind) for kind in ("event", "other", "retention")] == [0, 0, 1]
    assert (value("jobs_oldest_age_seconds", "event") or 0) >= 9


async def test_how_old_is_what_was_measured_is_told_while_it_cannot_be(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was known stays: an alert does not end because the queue cannot be counted any more."""
    monkeypatch.setattr(gauges, "INTERVAL_SECONDS", 0.05)
    metrics = Metrics()

    def value(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(name, labels) or 0

    def pending() -> float:
        return value("jobs_pending", entrypoint="event")

    def measured() -> float:
        return value("queue_measured_timestamp_seconds")

    async def goes_on() -> None:
        before = measured()
        await until(lambda: measured() > before)

    add_one = "INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'event')"
    await execute(database_url, add_one)
    async with database(database_url, metrics) as opened:
        measuring = asyncio.create_task(gauges.measure(opened, metrics))
        try:
            await until(lambda: pending() == 1)
            await goes_on()
            await execute(database_url, "ALTER TABLE pgqueuer RENAME TO away")
            await until(lambda: "the queue was not measured" in caplog.text)
            known = measured()
            caplog.clear()
            await until(lambda: "the queue was not measured" in caplog.text)
            assert (pending(), measured()) == (1, known)
            await execute(database_url, "ALTER TABLE away RENAME TO pgqueuer")
            await execute(database_url, add_one)
            await until(lambda: pending() == 2)
            assert measured() > known
        finally:
            measuring.cancel()


async def test_what_nobody_asks_for_any_more_is_removed_and_the_rest_stays(
    handlers: Handlers, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much it is, some rows at a time."""
    monkeypatch.setattr(records, "PURGED", 7)
    monkeypatch.setattr(audit, "PURGED", 7)
    await execute(
        database_url,
        """
        INSERT INTO idempotency_record (principal, key, fingerprint, status, body, created_at)
        SELECT 'key:x', 'k-' || n, '', 201, '{}', now() - CASE WHEN n > 3 THEN interval '25 hours' ELSE '23 hours' END
        FROM generate_series(1, 30) AS n;
        INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created)
        SELECT n, 'successful', 0, 'event', now() - n * interval '1 day' + interval '1 hour'
        FROM generate_series(1, 9) AS n;
        INSERT INTO pgqueuer (id, priority, status, entrypoint) VALUES (9, 0, 'failed', 'event');
        INSERT INTO audit_entry (id, resource, action, changes, actor, request_id, created_at)
        SELECT gen_random_uuid(), 'item:' || n, 'patch', '{}', 'key:x', 'r', now() - n * interval '1 day'
        FROM generate_series(95, 110) AS n""",
    )
    await handlers.purge(WORK)
    kept = await asyncio.to_thread(fetch, database_url, "SELECT key FROM idempotency_record ORDER BY key")
    assert [row["key"] for row in kept] == ["k-1", "k-2", "k-3"]
    logged = await asyncio.to_thread(fetch, database_url, "SELECT job_id FROM pgqueuer_log ORDER BY job_id")
    assert [row["job_id"] for row in logged] == [1, 2, 3, 4, 5, 6, 7, 9], "of a dead letter it says why"
    audited = await asyncio.to_thread(fetch, database_url, "SELECT resource FROM audit_entry ORDER BY created_at DESC")
    assert [row["resource"] for row in audited] == [f"item:{days}" for days in range(95, 100)]


async def test_reservations_that_came_to_nothing_are_removed_and_no_others(
    service: Service, handlers: Handlers, database_url: str
) -> None:
    (await service.put("A-1")).raise_for_status()
    held, sold, released, recent = [(await reserve(service, line("A-1", 1))).json()["id"] for _ in range(4)]
    (await post(service, "/orders", {"reservation_id": sold})).raise_for_status()
    for one in (released, recent):
        (await post(service, f"/reservations/{one}/release")).raise_for_status()
    aged = f"UPDATE reservation SET updated_at = now() - interval '6 days' WHERE id <> '{recent}'"  # noqa: S608 -- an id
    await execute(database_url, aged)
    await handlers.purge(WORK)
    statuses = [(await service.api.get(f"/reservations/{one}")).status_code for one in (held, sold, released, recent)]
    assert statuses == [200, 200, 404, 200]
    lines = await asyncio.to_thread(fetch, database_url, "SELECT DISTINCT reservation_id::text FROM reservation_line")
    assert {row["reservation_id"] for row in lines} == {held, sold, recent}


async def test_a_schedule_begins_one_job_whatever_the_number_of_workers(database_url: str) -> None:
    """And no second one while the first is being done."""
    now, most, done = 0, 0, 0

    async def handle(work: Work) -> None:
        nonlocal now, most, done
        assert work.provenance.actor == "system:schedule"
        now += 1
        most = max(most, now)
        await asyncio.sleep(1.5)
        now -= 1
        done += 1

    schedules = {QUICK: EVERY_SECOND}
    async with (
        working(database_url, handle, schedules=schedules) as first,
        working(database_url, handle, schedules=schedules) as second,
    ):
        await until(lambda: done >= 2)
        await execute(database_url, "UPDATE pgqueuer SET execute_after = now() + interval '1 hour'")
        waiting = "SELECT dedupe_key FROM pgqueuer"
        keys = [row["dedupe_key"] for row in await asyncio.to_thread(fetch, database_url, waiting)]
        assert keys in ([], ["schedule:event"])
        await first.stop()
        await second.stop()
    assert most == 1


async def test_webhooks_that_wait_are_told_apart_by_how_their_endpoints_are(
    service: Service, handlers: Handlers, database_url: str, metrics: Metrics
) -> None:
    """A partner who is down is no reason for more workers."""
    del handlers
    well, failing, paused, disabled = [await add_endpoint(service, "https://partner.example/") for _ in range(4)]
    for endpoint, count in ((well, 1), (failing, 2), (paused, 3), (disabled, 4)):
        for _ in range(count):
            await send_test(service, endpoint)
    await execute(
        database_url,
        f"""
        UPDATE webhook_endpoint SET failures = 1 WHERE id = '{failing["id"]}';
        UPDATE webhook_endpoint SET retry_after = now() + interval '1 hour' WHERE id = '{paused["id"]}';
        UPDATE webhook_endpoint SET status = 'disabled', disabled_reason = 'gone' WHERE id = '{disabled["id"]}';
        UPDATE webhook_delivery SET next_attempt_at = next_attempt_at - interval '9 seconds'
        WHERE endpoint_id = '{well["id"]}';
        UPDATE webhook_delivery SET next_attempt_at = next_attempt_at - interval '1 hour'
        WHERE endpoint_id <> '{well["id"]}'
        """,  # noqa: S608
    )
    async with database(database_url, metrics) as opened:
        await gauges.take(opened, metrics)
    value = metrics.registry.get_sample_value
    assert [value("webhook_deliveries_pending", {"endpoints": name}) for name in ("well", "unwell")] == [1, 5]
    assert 9 <= (value("webhook_deliveries_oldest_age_seconds") or 0) < 600
    states = [value("webhook_endpoints", {"state": name}) for name in ("enabled", "failing", "disabled")]
    assert states == [3, 1, 1]


async def test_an_event_is_for_thousands_of_endpoints_and_a_transaction_has_a_hundred_events(
    handlers: Handlers, database_url: str
) -> None:
    """Each by a statement of its own, as all together are more than one may take."""
    await execute(
        database_url,
        """
        INSERT INTO webhook_endpoint (id, url, events, secret, created_at, updated_at)
        SELECT uuid7(), 'https://partner.example/', '{inventory.level.changed}', 'x', '2026-01-01', '2026-01-01'
        FROM generate_series(1, 3000)
        """,
    )
    told = [
        {"id": str(uuid.uuid4()), "type": "inventory.level.changed", "timestamp": "2026-03-01T08:00:00Z", "data": {}}
        for _ in range(20)
    ]
    for _ in range(2):
        await handlers.publish_events(Work(told, BY_THE_TEST))
    (row,) = await asyncio.to_thread(fetch, database_url, "SELECT count(*), count(DISTINCT id) FROM webhook_delivery")
    assert tuple(row) == (60_000, 60_000)
    (row,) = await asyncio.to_thread(fetch, database_url, "SELECT id FROM webhook_delivery LIMIT 1")
    assert (uuid.UUID(str(row["id"])).version, uuid.UUID(str(row["id"])).variant) == (7, uuid.RFC_4122)
