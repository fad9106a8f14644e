"""Who sends what: each once, at most so many to one partner, nobody in another's way, and nothing lost."""

import asyncio
from functools import partial
from typing import Any

import pytest
from tests.support.database import execute, fetch
from tests.support.delivering import (
    ENDPOINTS,
    add_endpoint,
    deliveries,
    delivering,
    delivery_of,
    ended,
    endpoint_of,
    send_test,
)
from tests.support.partner import Partner, partner
from tests.support.service import Service
from tests.support.waiting import eventually
from tests.support.working import database, until

from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.webhooks import claims, deliverer, recording
from inventory_api.webhooks import service as webhooks
from inventory_api.webhooks.claims import AT_ONCE
from inventory_api.webhooks.recording import Result

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
SECONDS = 30.0
LAPSED = "UPDATE webhook_delivery SET claimed_until = clock_timestamp()"
HELD_SECONDS = "SELECT extract(epoch FROM claimed_until - claimed_at)::float8 AS seconds FROM webhook_delivery"

pytestmark = pytest.mark.settings(webhook_loopback="true")


def to(there: Partner) -> str:
    return f"http://127.0.0.1:{there.port}/hook"


def result_of(claim: claims.Claim, *, delivered: bool) -> Result:
    status = 204 if delivered else 500
    return Result(claim, status, None, None, 0.1, is_delivered=delivered, retry_seconds=None)


async def _recorded(session: Session, claim: claims.Claim) -> None:
    async with session.transaction():
        await recording.record(session, [result_of(claim, delivered=False)])


async def waits_for_a_lock(url: str) -> bool:
    statement = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await asyncio.to_thread(fetch, url, statement))


class Gate:
    """A partner who answers when it is opened, and knows how many wait at once."""

    def __init__(self, answer: bytes = OK) -> None:
        self.answer = answer
        self.opened = asyncio.Event()
        self.waiting = self.most = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.opened.wait()
        self.waiting -= 1
        writer.write(self.answer)


async def test_a_partner_has_so_many_at_once_whoever_sends(service: Service, database_url: str) -> None:
    """Three workers, and room for all of it in each."""
    gate = Gate()
    async with partner(gate) as there:
        endpoint = await add_endpoint(service, to(there))
        for _ in range(12):
            await send_test(service, endpoint)
        async with delivering(database_url), delivering(database_url), delivering(database_url):
            await until(lambda: gate.waiting == AT_ONCE)
            gate.opened.set()
            await ended(service, 12, status="delivered")
    assert (gate.most, len(there.requests)) == (AT_ONCE, 12)


async def test_one_that_has_failed_is_tried_by_one_request(service: Service, database_url: str) -> None:
    gate = Gate()
    async with partner(gate) as there:
        endpoint = await add_endpoint(service, to(there))
        await execute(database_url, "UPDATE webhook_endpoint SET failures = 1, failing_since = clock_timestamp()")
        for _ in range(6):
            await send_test(service, endpoint)
        async with delivering(database_url), delivering(database_url):
            await until(lambda: gate.waiting == 1)
            gate.opened.set()
            await ended(service, 6, status="delivered")
    assert gate.most <= AT_ONCE


async def test_those_who_hang_leave_room_for_those_who_do_not(service: Service, database_url: str) -> None:
    """Of a worker with room for eight, ten that failed before get four, whatever waits for them."""
    gate = Gate()
    async with partner(gate) as hanging, partner(OK) as well:
        for _ in range(10):
            await send_test(service, await add_endpoint(service, to(hanging)))
        await execute(database_url, "UPDATE webhook_endpoint SET failures = 1, failing_since = clock_timestamp()")
        async with delivering(database_url, at_once=8) as running:
            await until(lambda: gate.waiting == 4)
            endpoint = await add_endpoint(service, to(well))
            for _ in range(20):
                await send_test(service, endpoint)
            await until(lambda: running.outcome("delivered") == 20)
            assert gate.waiting == gate.most == 4
            gate.opened.set()


async def test_those_who_are_slow_leave_room_too(
    service: Service, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though they take what they are sent, in the end."""
    monkeypatch.setattr(recording, "SLOW_SECONDS", 0.0)
    gate = Gate()
    async with partner(gate) as slow, partner(OK) as well, delivering(database_url, at_once=8) as worker:
        endpoints = [await add_endpoint(service, to(slow)) for _ in range(3)]
        gate.opened.set()
        for endpoint in endpoints:
            await send_test(service, endpoint)
        await until(lambda: worker.outcome("delivered") == 3)
        gate.opened.clear()
        for endpoint in endpoints * 4:
            await send_test(service, endpoint)
        await until(lambda: gate.waiting == 4)
        await send_test(service, await add_endpoint(service, to(well)))
        await until(lambda: worker.outcome("delivered") == 4)
        assert gate.waiting == 4
        gate.opened.set()


async def test_one_that_has_failed_finds_room_however_much_waits_for_others(
    service: Service, database_url: str
) -> None:
    """It would else be kept from being well again."""
    gate = Gate()
    async with partner(gate) as busy, partner(OK) as there:
        failing = await add_endpoint(service, to(there))
        await execute(database_url, "UPDATE webhook_endpoint SET failures = 1, failing_since = clock_timestamp()")
        for _ in range(3):
            endpoint = await add_endpoint(service, to(busy))
            for _ in range(5):
                await send_test(service, endpoint)
        async with delivering(database_url, at_once=4):
            await until(lambda: gate.waiting == 4)
            delivery = await send_test(service, failing)
            gate.opened.set()
            await ended(service, 16, status="delivered")
        times = "SELECT delivery_id::text FROM webhook_attempt ORDER BY started_at LIMIT 8"
        rows = await asyncio.to_thread(fetch, database_url, times)
        assert delivery["id"] in {row["delivery_id"] for row in rows}


async def test_endpoints_come_by_turns(service: Service, database_url: str) -> None:
    """One with much that waits is not in the way of one with little."""
    order: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        order.append("much" if writer.get_extra_info("sockname")[1] == much.port else "little")
        writer.write(OK)

    async with partner(note) as much, partner(note) as little:
        endpoint = await add_endpoint(service, to(much))
        for _ in range(30):
            await send_test(service, endpoint)
        await send_test(service, await add_endpoint(service, to(little)))
        async with delivering(database_url, at_once=2):
            await ended(service, 31)
    assert "little" in order[:3]


async def test_what_a_killed_worker_had_claimed_is_sent_by_another_one(service: Service, database_url: str) -> None:
    """Its attempt says so; and it has used up a try."""
    async with partner(OK) as there:
        endpoint = await add_endpoint(service, to(there))
        delivery = await send_test(service, endpoint)
        await execute(database_url, "UPDATE webhook_delivery SET retries_left = 2")
        async with database(database_url) as opened, opened.session() as session:
            (claimed,) = await claims.claim(session, 5, 0.3, is_well=True)
            assert str(claimed.delivery_id) == delivery["id"]
            assert await claims.claim(session, 5, 0.3, is_well=True) == []
        async with delivering(database_url):
            await ended(service, 1)
    found = await delivery_of(service, delivery)
    assert [(one["number"], one["status_code"], one["reason"]) for one in found["attempts"]] == [
        (2, 204, None), (1, None, "worker lost"),
    ]  # fmt: skip
    (row,) = await asyncio.to_thread(fetch, database_url, "SELECT retries_left FROM webhook_delivery")
    assert row["retries_left"] == 1


async def test_what_takes_longer_than_a_claim_is_sent_once(service: Service, database_url: str) -> None:
    """Its worker renews it as long as it is at it."""

    async def held() -> bool:
        (row,) = await asyncio.to_thread(fetch, database_url, HELD_SECONDS)
        return bool(row["seconds"] > 3)

    gate, often = Gate(), partial(delivering, database_url, heartbeat_seconds=1)
    async with partner(gate) as there, often(), often():
        delivery = await send_test(service, await add_endpoint(service, to(there)))
        await until(lambda: gate.waiting == 1)
        await eventually(held)
        gate.opened.set()
        await ended(service, 1)
    assert [one["status_code"] for one in (await delivery_of(service, delivery))["attempts"]] == [204]


async def test_what_another_one_has_claimed_since_is_not_renewed(service: Service, database_url: str) -> None:
    await send_test(service, await add_endpoint(service, "http://127.0.0.1:9/"))
    await execute(database_url, "UPDATE webhook_delivery SET retries_left = 5")
    async with database(database_url) as opened, opened.session() as session:
        first = await claims.claim(session, 5, 0.0, is_well=True)
        second = await claims.claim(session, 5, 0.0, is_well=True)
        assert await claims.renew(session, first, SECONDS) == 0
        assert await claims.renew(session, second, SECONDS) == 1
        assert await claims.claim(session, 5, SECONDS, is_well=True) == []


async def test_what_ends_every_worker_comes_to_an_end(service: Service, database_url: str) -> None:
    delivery = await send_test(service, await add_endpoint(service, "http://127.0.0.1:9/"))
    async with database(database_url) as opened, opened.session() as session:
        (first,) = await claims.claim(session, 5, 0.0, is_well=True)
        (last,) = await claims.claim(session, 5, 0.0, is_well=True)
        assert (first.is_spent, last.is_spent) == (False, True)
        assert await claims.claim(session, 5, 0.0, is_well=True) == []
        found = await delivery_of(service, delivery)
        assert (found["status"], found["attempt_count"]) == ("failed", 1)
        assert [one["reason"] for one in found["attempts"]] == ["worker lost"]
        # But that it has arrived, though nobody had said so for long, is good news.
        async with session.transaction():
            await recording.record(session, [result_of(first, delivered=True)])
    assert (await delivery_of(service, delivery))["status"] == "delivered"


async def test_what_has_ended_its_worker_at_its_last_try_is_given_up_and_said(
    service: Service, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = await send_test(service, await add_endpoint(service, "http://127.0.0.1:9/"))
    async with database(database_url) as opened, opened.session() as session:
        assert len(await claims.claim(session, 5, SECONDS, is_well=True)) == 1
    await execute(database_url, LAPSED)
    async with delivering(database_url) as worker:
        await ended(service, 1, status="failed")
        await until(lambda: worker.outcome("failed") == 1)
    (said,) = [record for record in caplog.records if "given up" in record.getMessage()]
    assert vars(said)["webhook.delivery"] == delivery["id"]


async def test_good_news_counts_also_when_another_one_has_claimed_it_in_between(
    service: Service, database_url: str
) -> None:
    """A failure does not: it is the other one's to say."""
    endpoint = await add_endpoint(service, "http://127.0.0.1:9/")
    sent = [await send_test(service, endpoint) for _ in range(2)]
    await execute(database_url, "UPDATE webhook_delivery SET retries_left = 5")
    async with database(database_url) as opened, opened.session() as session:
        first = await claims.claim(session, 5, 0.0, is_well=True)
        assert len(await claims.claim(session, 5, 0.0, is_well=True)) == len(first) == 2
        good, bad = sorted(first, key=lambda claim: str(claim.delivery_id) != sent[0]["id"])
        async with session.transaction():
            await recording.record(session, [result_of(good, delivered=True), result_of(bad, delivered=False)])
    assert [(await delivery_of(service, one))["status"] for one in sent] == ["delivered", "pending"]


async def test_good_news_that_come_while_it_is_claimed_again_end_it(service: Service, database_url: str) -> None:
    """The claim waits for them, and then there is nothing to claim; also where it would have been the last try."""
    await send_test(service, await add_endpoint(service, "http://127.0.0.1:9/"))
    async with database(database_url) as opened, opened.session() as session, opened.session() as other:
        (first,) = await claims.claim(session, 5, 0.0, is_well=True)
        async with session.transaction():
            await recording.record(session, [result_of(first, delivered=True)])
            again = asyncio.create_task(claims.claim(other, 5, 0.0, is_well=True))
            await eventually(lambda: waits_for_a_lock(database_url))
        assert await again == []
    assert [one["status"] for one in await deliveries(service)] == ["delivered"]


async def test_endpoints_are_locked_before_deliveries_whoever_records(service: Service, database_url: str) -> None:
    """As by whoever deletes one: in another order they would wait for each other."""
    await send_test(service, await add_endpoint(service, "http://127.0.0.1:9/"))
    async with database(database_url) as opened, opened.session() as session, opened.session() as other:
        (claimed,) = await claims.claim(session, 5, SECONDS, is_well=True)
        async with other.transaction():
            await other.execute(Statement("test.lock", "SELECT FROM webhook_endpoint FOR NO KEY UPDATE"))
            recording = asyncio.create_task(_recorded(session, claimed))
            await eventually(lambda: waits_for_a_lock(database_url))
            await other.execute(Statement("test.try", "SELECT FROM webhook_delivery FOR UPDATE NOWAIT"))
        await recording


async def test_one_that_is_asked_for_while_it_is_sent_is_sent_once_more_at_once(
    service: Service, database_url: str
) -> None:
    """Also a test, which has one try; and where another one is what is being sent."""
    gate = Gate()
    async with partner(gate) as there, delivering(database_url) as worker:
        endpoint = await add_endpoint(service, to(there))
        delivery = await send_test(service, endpoint)
        await until(lambda: gate.waiting == 1)
        again = await service.api.post(f"/webhooks/deliveries/{delivery['id']}/redeliver")
        assert again.status_code == 202
        assert gate.waiting == 1
        gate.opened.set()
        await ended(service, 1, status="delivered")
        assert worker.outcome("delivered") == 2
    found = await delivery_of(service, delivery)
    assert [one["status_code"] for one in found["attempts"]] == [204, 204]


async def test_one_whose_worker_was_killed_can_be_asked_for(service: Service, database_url: str) -> None:
    """And has all its tries."""
    async with partner(OK) as there:
        delivery = await send_test(service, await add_endpoint(service, to(there)))
        async with database(database_url) as opened, opened.session() as session:
            assert len(await claims.claim(session, 5, SECONDS, is_well=True)) == 1
        await execute(database_url, LAPSED)
        (await service.api.post(f"/webhooks/deliveries/{delivery['id']}/redeliver")).raise_for_status()
        async with delivering(database_url):
            await ended(service, 1, status="delivered")


async def test_what_was_asked_for_goes_before_all_else_also_when_it_is_handed_back(
    service: Service, database_url: str
) -> None:
    """And past the pause of its endpoint."""
    await send_test(service, await add_endpoint(service, "http://127.0.0.1:9/"))
    await execute(database_url, "UPDATE webhook_endpoint SET retry_after = clock_timestamp() + interval '1 hour'")
    async with database(database_url) as opened, opened.session() as session:
        for _ in range(2):
            found = await claims.claim(session, 5, SECONDS, is_well=True)
            assert len(found) == 1
            await claims.hand_back(session, found)


async def test_a_worker_that_sends_few_at_a_time_tries_those_who_fail_too(service: Service, database_url: str) -> None:
    async with partner(OK) as there:
        await send_test(service, await add_endpoint(service, to(there)))
        await execute(database_url, "UPDATE webhook_endpoint SET failures = 1, failing_since = clock_timestamp()")
        async with delivering(database_url, at_once=2):
            await ended(service, 1, status="delivered")


async def test_what_comes_of_an_attempt_is_of_the_url_that_it_was_made_for(service: Service, database_url: str) -> None:
    """An endpoint that was moved, or enabled again, while it was being made, has neither failed nor gone."""
    gate = Gate(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n")
    async with partner(gate) as old, partner(OK) as new, delivering(database_url):
        endpoint = await add_endpoint(service, to(old))
        path = f"{ENDPOINTS}/{endpoint['id']}"
        await send_test(service, endpoint)
        await until(lambda: gate.waiting == 1)
        (await service.api.patch(path, json={"url": to(new)})).raise_for_status()
        gate.opened.set()
        await ended(service, 1, status="failed")
        found = await endpoint_of(service, endpoint)
        assert (found["status"], found["failures"], found["failing_since"]) == ("enabled", 0, None)
        await send_test(service, endpoint)
        await ended(service, 1, status="delivered")


async def test_what_a_partner_asks_for_is_not_undone_by_what_it_takes(service: Service, database_url: str) -> None:
    """As with a rate limit: of several at once, some are taken."""
    gate, busy = Gate(), b"HTTP/1.1 429 Slow\r\nretry-after: 3000\r\ncontent-length: 0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(there.requests) == 1:
            await gate(reader, writer)
        else:
            writer.write(busy)

    async with partner(answer) as there, delivering(database_url) as worker:
        endpoint = await add_endpoint(service, to(there))
        await send_test(service, endpoint)
        await until(lambda: gate.waiting == 1)
        await send_test(service, endpoint)
        await until(lambda: worker.outcome("failed") == 1)
        gate.opened.set()
        await until(lambda: worker.outcome("delivered") == 1)
        found = await endpoint_of(service, endpoint)
        assert (found["failures"], found["paused_until"] is not None) == (0, True)


@pytest.mark.parametrize(
    ("answer", "status"), [(OK, "delivered"), (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", "cancelled")]
)
async def test_what_is_being_sent_to_one_that_is_deleted_comes_to_its_end(
    service: Service, database_url: str, answer: bytes, status: str
) -> None:
    gate = Gate(answer)
    async with partner(gate) as there, delivering(database_url):
        endpoint = await add_endpoint(service, to(there))
        delivery = await send_test(service, endpoint)
        await until(lambda: gate.waiting == 1)
        assert (await service.api.delete(f"{ENDPOINTS}/{endpoint['id']}")).status_code == 204
        assert (await delivery_of(service, delivery))["status"] == "pending"
        gate.opened.set()
        await ended(service, 1, status=status)


async def test_a_worker_that_ends_lets_what_it_sends_come_to_its_end(service: Service, database_url: str) -> None:
    gate = Gate()
    async with partner(gate) as there:
        endpoint = await add_endpoint(service, to(there))
        async with delivering(database_url) as running:
            await send_test(service, endpoint)
            await until(lambda: gate.waiting == 1)
            running.deliverer.stop()
            await send_test(service, endpoint)
            gate.opened.set()
            await asyncio.wait_for(running.task, 10)
    assert sorted(one["status"] for one in await deliveries(service)) == ["delivered", "pending"]


async def test_and_hands_back_what_does_not(service: Service, database_url: str) -> None:
    """Others may send it at once; the try is not counted."""
    gate = Gate()
    async with partner(gate) as there:
        delivery = await send_test(service, await add_endpoint(service, to(there)))
        async with delivering(database_url) as running:
            await until(lambda: gate.waiting == 1)
            running.deliverer.stop()
            await running.deliverer.hand_back()
            await asyncio.wait_for(running.task, 10)
        gate.opened.set()
        found = await delivery_of(service, delivery)
        assert (found["status"], found["attempts"][0]["reason"]) == ("pending", "worker ended")
        async with delivering(database_url):
            await ended(service, 1, status="delivered")


async def test_and_what_it_is_just_claiming(
    service: Service, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed, go_on, claim = asyncio.Event(), asyncio.Event(), claims.claim

    async def slow(session: Session, count: int, seconds: float, *, is_well: bool) -> list[claims.Claim]:
        found = await claim(session, count, seconds, is_well=is_well)
        if found:
            claimed.set()
            await go_on.wait()
        return found

    monkeypatch.setattr(claims, "claim", slow)
    async with partner(OK) as there:
        delivery = await send_test(service, await add_endpoint(service, to(there)))
        async with delivering(database_url) as running:
            await asyncio.wait_for(claimed.wait(), 20)
            running.deliverer.stop()
            await running.deliverer.hand_back()
            go_on.set()
            await asyncio.wait_for(running.task, 10)
        assert (await delivery_of(service, delivery))["attempts"][0]["reason"] == "worker ended"
        assert there.connections == 0


async def test_what_was_sent_is_recorded_when_the_database_is_there_again(
    service: Service, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not sent again."""
    monkeypatch.setattr(deliverer, "PAUSE_SECONDS", 0.05)
    gate = Gate()
    async with partner(gate) as there:
        delivery = await send_test(service, await add_endpoint(service, to(there)))
        async with delivering(database_url) as running:
            await until(lambda: gate.waiting == 1)
            await execute(database_url, "ALTER TABLE webhook_attempt RENAME TO away")
            gate.opened.set()
            value = running.metrics.registry.get_sample_value
            await until(lambda: (value("queue_failures_total") or 0) >= 2)
            await execute(database_url, "ALTER TABLE away RENAME TO webhook_attempt")
            await ended(service, 1)
    found: dict[str, Any] = await delivery_of(service, delivery)
    assert (found["status"], found["attempt_count"], len(there.requests)) == ("delivered", 1, 1)


async def test_what_is_old_is_removed_and_what_waits_is_kept(service: Service, database_url: str) -> None:
    async with partner(OK) as there, delivering(database_url):
        endpoint = await add_endpoint(service, to(there))
        await send_test(service, endpoint)
        await ended(service, 1)
    waits = await send_test(service, endpoint)
    await execute(
        database_url,
        """
        UPDATE webhook_delivery SET updated_at = updated_at - interval '31 days', created_at = created_at - interval '31 days';
        UPDATE event SET created_at = created_at - interval '31 days'
        """,  # noqa: E501
    )

    async def rows(table: str) -> int:
        (row,) = await asyncio.to_thread(fetch, database_url, f"SELECT count(*) FROM {table}")  # noqa: S608
        return int(row[0])

    async with database(database_url) as opened, opened.session() as session:
        assert await webhooks.purge(session, 32) == 0
        assert await webhooks.purge(session, 30) == 2
        assert await webhooks.purge(session, 30) == 0
        assert [await rows(table) for table in ("webhook_delivery", "event", "webhook_attempt")] == [1, 1, 0]
        assert (await deliveries(service))[0]["id"] == waits["id"]
        path = f"/webhooks/endpoints/{endpoint['id']}"
        (await service.api.patch(path, json={"status": "disabled"})).raise_for_status()
        assert await webhooks.purge(session, 30) == 0
        await execute(database_url, "UPDATE webhook_endpoint SET updated_at = updated_at - interval '31 days'")
        assert await webhooks.purge(session, 30) == 1
        assert (await deliveries(service))[0]["status"] == "cancelled", "nobody will ever enable it again"
        (await service.api.delete(f"/webhooks/endpoints/{endpoint['id']}")).raise_for_status()
        await execute(database_url, "DELETE FROM webhook_delivery")
        await webhooks.purge(session, 30)
        assert await rows("webhook_endpoint") == 1, "not before it is old"
        await execute(database_url, "UPDATE webhook_endpoint SET updated_at = updated_at - interval '31 days'")
        await execute(database_url, "UPDATE webhook_delivery SET updated_at = updated_at - interval '31 days'")

        async def all_gone() -> bool:
            await webhooks.purge(session, 30)
            return [await rows(table) for table in ("webhook_delivery", "event", "webhook_endpoint")] == [0, 0, 0]

        await eventually(all_gone)
