"""What happens is told to whoever wants it: signed, once it is committed, again until it is taken."""

import asyncio
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from standardwebhooks import Webhook, WebhookVerificationError
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
from tests.support.otlp import collecting
from tests.support.partner import Partner, Taken, partner
from tests.support.selling import line, order, post
from tests.support.service import Service, running
from tests.support.waiting import eventually
from tests.support.working import until

from inventory_api.webhooks import attempt, deliverer

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
OOPS = b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops"
GONE = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"

pytestmark = pytest.mark.settings(webhook_loopback="true")


def to(there: Partner) -> str:
    return f"http://127.0.0.1:{there.port}/hook"


def ids(taken: Sequence[Taken]) -> list[str]:
    return [request.headers["webhook-id"] for request in taken]


async def sold(service: Service, quantity: int = 1) -> dict[str, Any]:
    return dict((await order(service, line("A-1", quantity))).raise_for_status().json())


@pytest.fixture(autouse=True)
async def _item(service: Service) -> None:
    (await service.put("A-1")).raise_for_status()


async def test_what_an_order_tells_arrives_signed_and_as_the_api_answers(service: Service, database_url: str) -> None:
    async with partner(OK) as there, delivering(database_url):
        endpoint = await add_endpoint(service, to(there), "order.created")
        made = await order(service, line("A-1", 3))
        (delivery,) = await ended(service, 1)
    (request,) = there.requests
    body: dict[str, Any] = json.loads(request.body)
    assert Webhook(endpoint["secret"]).verify(request.body, request.headers) == body
    assert (body["type"], body["data"]) == ("order.created", made.json())
    assert body["timestamp"] == made.json()["created_at"]
    assert request.headers["webhook-id"] == delivery["event"]["id"]
    assert (delivery["status"], delivery["attempt_count"]) == ("delivered", 1)
    assert delivery["request_id"] == made.headers["X-Request-ID"]


async def test_it_is_frozen_when_it_happens(service: Service, database_url: str) -> None:
    """Whatever became of it until somebody is told."""
    async with partner(OK) as there:
        await add_endpoint(service, to(there), "order.created")
        made = await sold(service)
        (await post(service, f"/orders/{made['id']}/cancel")).raise_for_status()
        async with delivering(database_url):
            await ended(service, 1)
    assert json.loads(there.requests[0].body)["data"] == made


async def test_only_those_who_want_it_are_told(service: Service, database_url: str) -> None:
    async with partner(OK) as there, partner(OK) as other, delivering(database_url) as worker:
        wanted = await add_endpoint(service, to(there), "order.created", "order.fulfilled")
        await add_endpoint(service, to(other), "order.cancelled")
        disabled = await add_endpoint(service, to(other), "order.created")
        await service.api.patch(f"{ENDPOINTS}/{disabled['id']}", json={"status": "disabled"})
        await post(service, f"/orders/{(await sold(service))['id']}/fulfill")
        await ended(service, 2)
        assert {one["endpoint"] for one in await deliveries(service)} == {wanted["id"]}
        assert (worker.outcome("delivered"), other.connections) == (2, 0)


async def test_nobody_is_told_of_what_was_not_committed(service: Service, database_url: str) -> None:
    async with partner(OK) as there, delivering(database_url):
        await add_endpoint(service, to(there), "order.created", "inventory.level.changed")
        assert (await order(service, line("A-1", 11))).status_code == 409
        await sold(service)
        assert {one["event"]["type"] for one in await ended(service, 2)} == {"order.created", "inventory.level.changed"}


async def test_nobody_is_told_of_what_was_before_him(service: Service, database_url: str) -> None:
    async with partner(OK) as there:
        await sold(service)
        await add_endpoint(service, to(there), "order.created")
        async with delivering(database_url):
            second = await sold(service)
            await ended(service, 1)
    assert [json.loads(request.body)["data"]["id"] for request in there.requests] == [second["id"]]


async def test_an_event_that_is_told_of_twice_is_delivered_once(service: Service, database_url: str) -> None:
    """As where a worker was killed after that, and before it could say that its job is done."""
    async with partner(OK) as there, delivering(database_url):
        await add_endpoint(service, to(there), "order.created")
        await execute(
            database_url,
            """
            CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO pgqueuer (entrypoint, priority, payload, headers, status)
                VALUES (NEW.entrypoint, 0, NEW.payload, NEW.headers, 'queued');
                RETURN NULL;
            END $$;
            CREATE TRIGGER twice AFTER INSERT ON pgqueuer FOR EACH ROW WHEN (pg_trigger_depth() = 0)
                EXECUTE FUNCTION twice()
            """,
        )
        await sold(service)

        async def done() -> bool:
            left = "SELECT FROM pgqueuer WHERE convert_from(payload, 'UTF8') LIKE '%order.created%'"
            return not await asyncio.to_thread(fetch, database_url, left)

        await eventually(done)
        await ended(service, 1)
    assert len(there.requests) == 1


async def test_what_is_not_taken_is_sent_again_as_it_was(service: Service, database_url: str) -> None:
    """Each attempt is listed, with how the answer began."""
    answers = [OOPS, b"HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/\r\ncontent-length: 0\r\n\r\n", OK]

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[len(there.requests) - 1])

    async with partner(answer) as there, delivering(database_url, (0, 0.1, 0.1)) as worker:
        endpoint = await add_endpoint(service, to(there), "order.created")
        await sold(service)
        (delivery,) = await ended(service, 1)
        assert [worker.outcome(one) for one in ("delivered", "retried", "failed")] == [1, 2, 0]
        value = worker.metrics.registry.get_sample_value
        attempts = [value("webhook_attempts_bucket", {"le": bound}) for bound in ("2.0", "3.0")]
        assert (attempts, value("webhook_attempt_duration_seconds_count")) == ([0, 1], 3)
    assert len({*ids(there.requests)}) == len({request.body for request in there.requests}) == 1
    assert len(there.requests) == 3
    for request in there.requests:
        Webhook(endpoint["secret"]).verify(request.body, request.headers)
    found = await delivery_of(service, delivery)
    assert [(one["number"], one["status_code"], one["response"]) for one in found["attempts"]] == [
        (3, 204, None), (2, 302, None), (1, 500, "oops"),
    ]  # fmt: skip
    assert all(one["duration_ms"] > 0 for one in found["attempts"])
    assert (await endpoint_of(service, endpoint))["failures"] == 0


async def test_after_the_last_try_it_is_given_up_and_can_be_asked_for_again(
    service: Service, database_url: str
) -> None:
    """Under the same id, and as often as a new one."""
    answers = [OOPS, OOPS, OOPS, OK, OK]

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[len(there.requests) - 1])

    async with partner(answer) as there, delivering(database_url, (0, 0)) as worker:
        await add_endpoint(service, to(there), "order.created")
        await sold(service)
        (delivery,) = await ended(service, 1)
        assert (delivery["status"], delivery["attempt_count"]) == ("failed", 2)
        assert worker.outcome("failed") == 1
        again = await service.api.post(f"/webhooks/deliveries/{delivery['id']}/redeliver")
        assert (again.status_code, again.json()["status"]) == (202, "pending")
        (delivery,) = await ended(service, 1)
        assert (delivery["status"], delivery["attempt_count"]) == ("delivered", 4)
        (await service.api.post(f"/webhooks/deliveries/{delivery['id']}/redeliver")).raise_for_status()
        await until(lambda: len(there.requests) == 5)
    assert len({*ids(there.requests)}) == 1


async def test_the_first_attempt_has_its_delay_too(service: Service, database_url: str) -> None:
    await add_endpoint(service, "http://127.0.0.1:9/", "order.created")
    async with delivering(database_url, (300, 0)):
        await sold(service)

        async def made() -> list[dict[str, Any]]:
            return await deliveries(service)

        (delivery,) = await eventually(made)
    assert delivery["attempt_count"] == 0
    assert delivery["next_attempt_at"] > delivery["created_at"]


async def test_a_partner_is_asked_again_when_he_asks_for_it(service: Service, database_url: str) -> None:
    """And is sent nothing else until then."""
    busy = b"HTTP/1.1 429 Slow\r\nretry-after: 3000\r\ncontent-length: 0\r\n\r\n"
    async with partner(busy) as there, delivering(database_url) as worker:
        endpoint = await add_endpoint(service, to(there), "order.created")
        await sold(service)
        await until(lambda: worker.outcome("retried") == 1)
        await sold(service)

        async def both() -> list[dict[str, Any]]:
            found = await deliveries(service)
            return found if len(found) == 2 else []

        second, first = await eventually(both)
        seconds = "extract(epoch FROM {} - clock_timestamp())::int AS seconds"
        due = f"SELECT {seconds.format('next_attempt_at')} FROM webhook_delivery WHERE id = '{first['id']}'"  # noqa: S608
        paused = f"SELECT {seconds.format('retry_after')} FROM webhook_endpoint"  # noqa: S608
        for statement in (due, paused):
            (row,) = await asyncio.to_thread(fetch, database_url, statement)
            assert 2900 < row["seconds"] <= 3000
        assert (await endpoint_of(service, endpoint))["paused_until"] is not None
        # What somebody asks for is sent all the same, and before all else.
        await send_test(service, endpoint)
        await until(lambda: len(there.requests) == 2)
        assert json.loads(there.requests[1].body)["type"] == "webhook.test"
        assert (await delivery_of(service, second))["attempt_count"] == 0


async def test_a_defect_of_this_service_is_a_failure_like_any_other(
    service: Service, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, and counts against the endpoint."""

    def fail(body: bytes) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(attempt, "snippet", fail)
    async with partner(OK) as there, delivering(database_url) as worker:
        endpoint = await add_endpoint(service, to(there), "order.created")
        await sold(service)
        (delivery,) = await ended(service, 1)
        assert (delivery["status"], delivery["attempt_count"]) == ("failed", 2)
        assert (await endpoint_of(service, endpoint))["failures"] == 2
        assert worker.outcome("failed") == 1
    assert {one["reason"] for one in (await delivery_of(service, delivery))["attempts"]} == {"defect"}


async def test_one_that_is_gone_is_disabled_and_that_is_said(
    service: Service, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with partner(GONE) as there, delivering(database_url) as worker:
        endpoint = await add_endpoint(service, to(there), "order.created")
        made = await order(service, line("A-1", 1))
        (delivery,) = await ended(service, 1)
        assert (delivery["status"], delivery["attempt_count"]) == ("failed", 1)
        found = await endpoint_of(service, endpoint)
        assert (found["status"], found["disabled_reason"], found["version"]) == ("disabled", "gone", 2)
        told = worker.metrics.registry.get_sample_value
        assert told("webhook_endpoints_disabled_total", {"reason": "gone"}) == 1
    (said,) = [record for record in caplog.records if record.getMessage() == "a webhook endpoint is disabled: gone"]
    assert vars(said)["webhook.endpoint"] == endpoint["id"]
    (entry, _) = (await service.api.get("/audit", params={"resource": f"webhook_endpoint:{endpoint['id']}"})).json()[
        "items"
    ]
    assert (entry["action"], entry["actor"]) == ("disable", "system:webhooks")
    assert entry["changes"] == {"status": {"before": "enabled", "after": "disabled"}}
    assert entry["request_id"] == made.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("days", "failures", "status"), [(4.9, 30, "enabled"), (5.1, 9, "enabled"), (5.1, 10, "disabled")]
)
async def test_one_that_has_taken_nothing_for_five_days_is_disabled(
    service: Service, database_url: str, days: float, failures: int, status: str
) -> None:
    """Where it was tried ten times or more: two attempts five days apart say little."""
    async with partner(OOPS) as there, delivering(database_url) as worker:
        endpoint = await add_endpoint(service, to(there), "order.created")
        await send_test(service, endpoint)
        await until(lambda: worker.outcome("failed") == 1)
        assert (await endpoint_of(service, endpoint))["failing_since"] is not None
        earlier = """
            UPDATE webhook_endpoint
            SET failing_since = failing_since - {} * interval '1 day', failures = {}, paused_until = NULL
        """
        await execute(database_url, earlier.format(days, failures - 1))
        await send_test(service, endpoint)
        await until(lambda: worker.outcome("failed") == 2)
        found = await endpoint_of(service, endpoint)
        assert (found["status"], found["failures"]) == (status, failures)
    assert found["disabled_reason"] == (None if status == "enabled" else "failing")


async def test_what_was_not_sent_to_one_that_was_disabled_is_sent_when_it_is_enabled(
    service: Service, database_url: str
) -> None:
    async with partner(OK) as there:
        endpoint = await add_endpoint(service, to(there), "order.created")
        path = f"{ENDPOINTS}/{endpoint['id']}"
        await send_test(service, endpoint)
        await service.api.patch(path, json={"status": "disabled"})
        async with delivering(database_url) as worker:
            other = await add_endpoint(service, to(there), "order.created")
            await send_test(service, other)
            await until(lambda: worker.outcome("delivered") == 1)
            assert len(await deliveries(service, status="pending", endpoint=endpoint["id"])) == 1
            await service.api.patch(path, json={"status": "enabled"})
            await ended(service, 2)


async def test_after_failures_in_a_row_it_is_left_alone_for_a_while(service: Service, database_url: str) -> None:
    """And by one that is taken all is forgotten."""
    answers = [OOPS] * 5 + [OK] * 2

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[len(there.requests) - 1])

    async with partner(answer) as there, delivering(database_url, [0.0] * 20) as worker:
        endpoint = await add_endpoint(service, to(there), "order.created")
        await sold(service)
        await until(lambda: worker.outcome("retried") == 5)
        found = await endpoint_of(service, endpoint)
        assert (found["failures"], found["paused_until"] is not None) == (5, True)
        await execute(database_url, "UPDATE webhook_endpoint SET paused_until = clock_timestamp()")
        await ended(service, 1)
        found = await endpoint_of(service, endpoint)
        assert (found["failures"], found["failing_since"], found["paused_until"]) == (0, None, None)


async def test_while_a_secret_is_replaced_both_are_good_and_then_the_new_one(
    service: Service, database_url: str
) -> None:
    async with partner(OK) as there, delivering(database_url) as worker:
        endpoint = await add_endpoint(service, to(there), "order.created")
        rotated = (await service.api.post(f"{ENDPOINTS}/{endpoint['id']}/rotate-secret")).json()
        await send_test(service, endpoint)
        await until(lambda: worker.outcome("delivered") == 1)
        await execute(database_url, "UPDATE webhook_endpoint SET previous_secret_until = clock_timestamp()")
        await send_test(service, endpoint)
        await until(lambda: worker.outcome("delivered") == 2)
    during, after = there.requests
    for secret in (endpoint["secret"], rotated["secret"]):
        Webhook(secret).verify(during.body, during.headers)
    Webhook(rotated["secret"]).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint["secret"]).verify(after.body, after.headers)


async def test_a_test_is_accepted_at_once_and_sent_once(service: Service, database_url: str) -> None:
    async with partner(OOPS) as there, delivering(database_url):
        endpoint = await add_endpoint(service, to(there))
        delivery = await send_test(service, endpoint)
        assert delivery["status"] == "pending"
        await ended(service, 1)
    found = await delivery_of(service, delivery)
    assert (found["status"], found["attempt_count"], len(there.requests)) == ("failed", 1, 1)
    assert json.loads(there.requests[0].body) == found["body"]
    assert found["body"]["data"] == {"endpoint": endpoint["id"]}


async def test_a_test_that_is_asked_for_again_is_sent_once_more(service: Service, database_url: str) -> None:
    async with partner(OOPS) as there, delivering(database_url) as worker:
        delivery = await send_test(service, await add_endpoint(service, to(there)))
        await until(lambda: worker.outcome("failed") == 1)
        (await service.api.post(f"/webhooks/deliveries/{delivery['id']}/redeliver")).raise_for_status()
        await until(lambda: worker.outcome("failed") == 2)
        assert (worker.outcome("retried"), len(there.requests)) == (0, 2)


async def test_what_happens_is_sent_when_it_is_told_and_not_when_it_is_time_to_look(
    service: Service, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer, "POLL_SECONDS", 600)
    async with partner(OK) as there, delivering(database_url) as worker:
        await add_endpoint(service, to(there), "order.created")
        await sold(service)
        await until(lambda: worker.outcome("delivered") == 1)


async def test_what_a_partner_answers_is_kept_short_and_without_secrets(service: Service, database_url: str) -> None:
    """He may send back what he was sent."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        signature = there.requests[0].headers["webhook-signature"]
        text = f"bad signature {signature} for {endpoint['secret']} \x00 " + "x" * 5000
        writer.write(f"HTTP/1.1 400 Bad\r\ncontent-length: {len(text)}\r\n\r\n{text}".encode())

    async with partner(answer) as there, delivering(database_url):
        endpoint = await add_endpoint(service, to(there))
        delivery = await send_test(service, endpoint)
        await ended(service, 1)
    (attempt,) = (await delivery_of(service, delivery))["attempts"]
    assert len(attempt["response"]) == 500
    assert attempt["response"].startswith("bad signature [redacted] for [redacted] \N{REPLACEMENT CHARACTER} xxx")


async def test_it_is_in_the_trace_of_the_request_and_logged_under_its_id(
    service: Service,
    database_url: str,
    keys_file: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the order to the partner, through a server worker and a queue worker."""
    caplog.set_level("INFO")
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        await _trace(service, database_url, keys_file, caplog)


async def _trace(service: Service, database_url: str, keys_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace_id = uuid.uuid4().hex
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01", "Idempotency-Key": "traced"}
    tracer = provider.get_tracer("tests")
    sampling = running(database_url=database_url, api_keys_file=keys_file)
    async with partner(OK) as there, delivering(database_url, tracer=tracer), sampling as other:
        endpoint = await add_endpoint(service, to(there), "order.created")
        made = await other.api.post("/orders", json={"lines": [line("A-1", 1)]}, headers=headers)
        (delivery,) = await ended(service, 1)
    (span,) = [span for span in exporter.get_finished_spans() if span.name == "webhook deliver"]
    assert f"{span.get_span_context().trace_id:032x}" == trace_id == delivery["trace_id"]  # type: ignore[union-attr]
    attributes = dict(span.attributes or {})
    assert attributes["app.request_id"] == made.headers["X-Request-ID"]
    assert attributes["http.response.status_code"] == 204
    (said,) = [record for record in caplog.records if record.getMessage() == "webhook delivered"]
    assert vars(said)["webhook.id"] == delivery["event"]["id"]
    told = [str(vars(record)) for record in caplog.records if record.name.startswith("inventory_api")]
    told += [str(dict(span.attributes or {})) + str(span.status) for span in exporter.get_finished_spans()]
    (request,) = there.requests
    for secret in (endpoint["secret"], to(there), request.headers["webhook-signature"]):
        assert not [text for text in told if secret in text]
