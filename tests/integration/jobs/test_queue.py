"""Jobs: there when what they are for is there, done at least once, held where they cannot be done."""

import asyncio
import json
import uuid
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import TracebackRecord
from pgqueuer.domain.types import JobId, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter
from tests.support.database import execute, fetch
from tests.support.waiting import eventually
from tests.support.working import BY_THE_TEST, QUICK, add, database, until, working

from inventory_api.jobs.driver import PollingDriver
from inventory_api.jobs.handlers import Work
from inventory_api.jobs.model import ENTRYPOINTS, SCHEDULES, Entrypoint, Job
from inventory_api.jobs.queue import enqueue
from inventory_api.jobs.repository import Repository
from inventory_api.telemetry import request_context
from inventory_api.telemetry.metrics import JOB_ENTRYPOINTS
from inventory_api.telemetry.request_context import RequestContext

UNUSED_INDEXES = (
    "pgqueuer_priority_id_id1_idx", "pgqueuer_updated_id_id1_idx", "pgqueuer_log_not_aggregated", "pgqueuer_log_status",
)  # fmt: skip


ENDS = "SELECT * FROM pgqueuer_log WHERE status IN ('successful', 'failed') ORDER BY job_id"


async def jobs(url: str) -> list[Any]:
    return await asyncio.to_thread(fetch, url, "SELECT * FROM pgqueuer ORDER BY id")


async def test_the_schema_is_that_of_the_library_but_for_what_would_notify_and_what_is_not_read(
    database_url: str,
) -> None:
    """Of a newer one, this says what its schema has more."""
    connection = await asyncpg.connect(database_url)
    plan = await Queries(AsyncpgDriver(connection)).plan_upgrade()
    await connection.close()
    left_out = ("fn_pgqueuer_changed", *UNUSED_INDEXES)
    missing = [statement for statement in plan.statements if not any(name in statement for name in left_out)]
    assert missing == []
    assert all(any(index in statement for statement in plan.statements) for index in UNUSED_INDEXES)


async def test_our_statement_writes_what_the_librarys_writes(database_url: str) -> None:
    await add(database_url, {"n": 1}, dedupe_key="one")
    connection = await asyncpg.connect(database_url)
    (ours,) = await jobs(database_url)
    payload = [ours["payload"]]
    headers = [json.loads(ours["headers"])]
    await Queries(AsyncpgDriver(connection)).enqueue([QUICK.name], payload, [0], dedupe_key=["two"], headers=headers)
    await connection.close()
    first, second = await jobs(database_url)
    differs = {name for name in dict(first) if first[name] != second[name]}
    assert differs <= {"id", "created", "updated", "heartbeat", "execute_after", "dedupe_key"}


async def test_what_our_statement_logs_is_what_the_librarys_logs_and_the_ids_of_the_request(database_url: str) -> None:
    await add(database_url, {"n": 1}, {"n": 2}, {"n": 3}, {"n": 4})
    failure = TracebackRecord.from_exception(RuntimeError("no"), JobId(3))
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=1)
    ours, librarys = Repository(PollingDriver(pool)), Queries(PollingDriver(pool))
    taken = await librarys.dequeue(
        4,
        {QueueEntrypoint(QUICK.name): EntrypointExecutionParameter(0)},
        QueueManagerId(uuid.uuid4()),
        None,
        timedelta(seconds=30),
    )
    first, second, third, fourth = sorted(taken, key=lambda job: job.id)
    await ours.log_jobs([(first, "successful", None), (third, "failed", failure)])
    await librarys.log_jobs([(second, "successful", None), (fourth, "failed", failure)])
    await pool.close()
    logged = await asyncio.to_thread(fetch, database_url, ENDS)
    for mine, theirs in ((logged[0], logged[1]), (logged[2], logged[3])):
        assert {name for name in dict(mine) if mine[name] != theirs[name]} <= {"id", "created", "job_id", "request_id"}
        assert mine["request_id"] == BY_THE_TEST.request_id
    left = [(job["id"], job["status"], job["queue_manager_id"]) for job in await jobs(database_url)]
    assert left == [(third.id, "failed", None), (fourth.id, "failed", None)]


async def test_a_job_commits_with_its_transaction_or_is_not_there(database_url: str) -> None:
    async def write() -> None:
        async with database(database_url) as opened, opened.session() as session, session.transaction():
            await enqueue(session, Job(QUICK, BY_THE_TEST))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        await write()
    assert await jobs(database_url) == []


async def test_a_second_one_with_the_same_key_is_passed_over_and_its_transaction_goes_on(database_url: str) -> None:
    await add(database_url, {"n": 1}, {"n": 2}, dedupe_key="one")
    (job,) = await jobs(database_url)
    assert json.loads(job["payload"]) == {"n": 1}


async def test_jobs_are_done_by_several_workers_each_once(database_url: str) -> None:
    """And leave the queue."""
    done = Counter[int]()

    async def handle(work: Work) -> None:
        await asyncio.sleep(0.001)
        done[work.payload["n"]] += 1

    await add(database_url, *({"n": number} for number in range(200)))
    async with working(database_url, handle) as first, working(database_url, handle) as second:
        await until(lambda: len(done) == 200)
        await first.stop()
        await second.stop()
        assert first.outcome("done") + second.outcome("done") == 200
    assert set(done.values()) == {1}
    assert await jobs(database_url) == []


async def test_a_job_that_fails_is_started_again_and_then_held(database_url: str) -> None:
    """As often as its kind says, later each time; what it failed of is kept."""
    starts: list[float] = []

    async def fail(work: Work) -> None:
        starts.append(asyncio.get_running_loop().time())
        raise ConnectionError("refused")

    await add(database_url, {})
    async with working(database_url, fail) as running:
        await until(lambda: running.outcome("dead") == 1)
        await running.stop()
        assert (running.outcome("retried"), running.outcome("done")) == (2, 0)
    (job,) = await jobs(database_url)
    assert (job["status"], job["starts"], len(starts)) == ("failed", 3, 3)


def test_delays_grow_and_are_spread_and_bounded() -> None:
    kind = Entrypoint("event", first_delay_seconds=1, max_delay_seconds=60)
    for starts, seconds in ((1, 1), (2, 2), (5, 16), (20, 60)):
        delays = [kind.delay(starts).total_seconds() for _ in range(200)]
        assert seconds * 0.8 <= min(delays) < max(delays) <= seconds * 1.2


async def test_a_job_that_takes_longer_than_its_kind_may_is_ended(database_url: str) -> None:
    ended = asyncio.Event()

    async def hang(work: Work) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.set()
            raise

    await add(database_url, {})
    async with working(database_url, hang, Entrypoint("event", max_starts=1, seconds=0.2)) as running:
        await until(lambda: running.outcome("dead") == 1)
    assert ended.is_set()


async def test_a_job_that_is_done_for_longer_than_a_heartbeat_is_done_once(database_url: str) -> None:
    starts = 0

    async def slow(work: Work) -> None:
        nonlocal starts
        starts += 1
        await asyncio.sleep(5)

    await add(database_url, {})
    async with working(database_url, slow) as first, working(database_url, slow) as second:
        await until(lambda: first.outcome("done") + second.outcome("done") == 1, seconds=15)
    assert starts == 1


async def test_what_a_stopped_worker_has_begun_is_finished_or_handed_back(database_url: str) -> None:
    """A start that was cut short by that does not count."""
    begun = asyncio.Event()

    async def endless(work: Work) -> None:
        begun.set()
        await asyncio.sleep(60)

    await add(database_url, {})
    async with working(database_url, endless) as running:
        await asyncio.wait_for(begun.wait(), 10)
        running.worker.stop()
        await asyncio.sleep(0.2)
        assert not running.task.done(), "it waits for what it has begun"
        running.worker.hand_back()
        await asyncio.wait_for(running.task, 10)
        assert running.outcome("handed_back") == 1
    (job,) = await jobs(database_url)
    assert (job["status"], job["starts"], job["queue_manager_id"]) == ("queued", 0, None)
    done = asyncio.Event()

    async def finish(work: Work) -> None:
        done.set()

    async with working(database_url, finish):
        await asyncio.wait_for(done.wait(), 10)


async def test_a_job_whose_worker_is_gone_is_started_again_and_at_last_held(database_url: str) -> None:
    """What ends its worker cannot say so: the row stays as that worker left it, with its start."""
    await add(database_url, {})
    gone = "UPDATE pgqueuer SET status = 'picked', starts = {}, heartbeat = now() - interval '1 hour', "
    gone += "queue_manager_id = gen_random_uuid()"
    done = asyncio.Event()

    async def finish(work: Work) -> None:
        done.set()

    await execute(database_url, gone.format(QUICK.max_starts))
    async with working(database_url, finish) as running:
        await until(lambda: running.outcome("dead") == 1)
        assert not done.is_set(), "it has had its starts"
    (job,) = await jobs(database_url)
    assert job["status"] == "failed"
    await execute(database_url, gone.format(QUICK.max_starts - 1))
    async with working(database_url, finish):
        await asyncio.wait_for(done.wait(), 10)


def _has(done: Counter[int], many: int) -> bool:
    return len(done) >= many


async def test_jobs_outlive_a_database_that_ends_every_connection(database_url: str) -> None:
    """None is lost, none becomes a dead letter by it, and the worker goes on by itself."""
    done = Counter[int]()

    async def handle(work: Work) -> None:
        await asyncio.sleep(0.02)
        done[work.payload["n"]] += 1

    await add(database_url, *({"n": number} for number in range(100)))
    ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    ends += "AND pid <> pg_backend_pid()"
    async with working(database_url, handle) as running:
        for reached in (10, 30, 60):
            await until(partial(_has, done, reached))
            await execute(database_url, ends)
        await until(lambda: len(done) == 100, seconds=30)
        await running.stop()
        assert running.outcome("dead") == 0

    async def nothing_is_left() -> bool:
        return not await jobs(database_url)

    async with working(database_url, handle):
        await eventually(nothing_is_left)


async def test_a_start_that_cannot_be_counted_makes_no_dead_letter(database_url: str) -> None:
    """The database goes between the taking of a job and its start: that is no fault of the job's."""
    done = list[int]()

    async def handle(work: Work) -> None:
        done.append(work.payload["n"])

    await execute(
        database_url,
        """
        CREATE FUNCTION go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '57P01'; END $$;
        CREATE TRIGGER gone BEFORE UPDATE OF starts ON pgqueuer FOR EACH ROW EXECUTE FUNCTION go();
        """,
    )
    await add(database_url, {"n": 1})
    async with working(database_url, handle) as running:
        await until(lambda: running.outcome("retried") >= 2)
        await execute(database_url, "DROP TRIGGER gone ON pgqueuer")
        await until(lambda: done == [1])
        await running.stop()
    assert running.outcome("dead") + running.outcome("failed") == 0


async def test_of_a_kind_only_so_many_are_done_at_once_by_all_workers(database_url: str) -> None:
    now, most, done = 0, 0, 0

    async def handle(work: Work) -> None:
        nonlocal now, most, done
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        done += 1

    one = Entrypoint("event", at_once=1)
    await add(database_url, *({} for _ in range(6)), entrypoint=one)
    async with working(database_url, handle, one), working(database_url, handle, one):
        await until(lambda: done == 6, seconds=30)
    assert most == 1


async def test_those_of_a_higher_priority_come_first(database_url: str) -> None:
    order: list[str] = []

    async def handle(work: Work) -> None:
        order.append(work.payload["name"])

    await add(database_url, *[{"name": "low"}] * 10)
    await add(database_url, *[{"name": "high"}] * 10, entrypoint=Entrypoint("event", priority=5))
    async with working(database_url, handle, concurrency=2):
        await until(lambda: len(order) == 20)
    # Two are begun at once, and either may be done first.
    assert order.index("low") >= 9


def test_every_kind_is_in_the_catalogue_and_has_a_handler() -> None:
    assert set(ENTRYPOINTS) == set(JOB_ENTRYPOINTS)
    assert set(SCHEDULES) <= set(ENTRYPOINTS.values())


async def test_a_job_goes_on_with_the_trace_and_the_request_that_made_it(database_url: str) -> None:
    """Its span is a child of the span in which it was written, and its log lines have that request's id."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("request") as request:
        await add(database_url, {})
    seen: list[RequestContext | None] = []

    async def handle(work: Work) -> None:
        seen.append(request_context.current())

    async with working(database_url, handle, tracer=tracer):
        await until(lambda: any(span.name == "job event" for span in exporter.get_finished_spans()))
    (job,) = [span for span in exporter.get_finished_spans() if span.name == "job event"]
    assert job.context.trace_id == request.get_span_context().trace_id
    assert job.parent is not None
    assert job.parent.span_id == request.get_span_context().span_id
    assert job.attributes is not None
    assert job.attributes["app.request_id"] == BY_THE_TEST.request_id
    (context,) = seen
    assert context is not None
    assert (context.request_id, context.principal) == (BY_THE_TEST.request_id, "key:test")
