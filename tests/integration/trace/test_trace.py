"""`inventory-api trace`: one request, joined by its id through all places that have a part of it."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.database import execute
from tests.support.otlp import Collector, collecting, write_lines
from tests.support.process import free_ports
from tests.support.shop import SKU, Shop, shop, trace
from tests.support.working import BY_THE_TEST, add, until, working

ID = "order-of-the-test"
SECTIONS = ["logs", "spans", "audit", "movements", "jobs", "deliveries"]


@asynccontextmanager
async def order(tmp_path: Path, url: str, keys_file: Path) -> AsyncIterator[tuple[Shop, Collector]]:
    """One that has gone all the way, with its spans where they were sent to."""
    with collecting() as collector:
        async with shop(tmp_path, url, keys_file, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint) as opened:
            await opened.order(ID)
            await opened.delivered()
            await until(lambda: {"POST /orders", "job event", "webhook deliver"} <= names(collector))
            yield opened, collector


def names(collector: Collector) -> set[str]:
    return {span.name for span in collector.spans()}


def rows(printed: str) -> dict[str, list[dict[str, Any]]]:
    """Of `--json`, by section."""
    document = json.loads(printed)
    return {name: document[name]["rows"] for name in SECTIONS}


def depth(tree: list[str], name: str) -> int:
    (line,) = [line for line in tree if line[27:].lstrip().startswith(name)]
    return len(line[27:]) - len(line[27:].lstrip())


async def test_one_id_joins_six_places(database_url: str, keys_file: Path, tmp_path: Path) -> None:
    async with order(tmp_path, database_url, keys_file) as (opened, collector):
        spans = write_lines(collector.requests, tmp_path / "spans.jsonl")
        as_json = await opened.trace(ID, *opened.log_options(), "--spans", spans, "--json")
        as_text = await opened.trace(ID, *opened.log_options(), "--spans", spans)
    assert (as_json.returncode, as_json.stderr) == (0, "")
    found = rows(as_json.stdout)
    assert all(found.values())
    (trace_id,) = json.loads(as_json.stdout)["trace_ids"]
    assert {row["trace_id"] for section in found.values() for row in section} == {trace_id}
    assert [(job["entrypoint"], job["state"]) for job in found["jobs"]] == [("event", "done")]
    (delivery,) = found["deliveries"]
    assert [(one["number"], one["status_code"]) for one in delivery["attempts"]] == [(1, 204)]
    assert "\n\nstock movements: 1 (database)\n" in as_text.stdout
    assert f"order {SKU} at MAIN: on hand +0 to 10, reserved +2 to 2, by key:admin\n" in as_text.stdout


async def test_the_job_and_the_webhook_are_within_the_tree_which_is_found_by_a_spans_tag_alone(
    database_url: str, keys_file: Path, tmp_path: Path
) -> None:
    async with order(tmp_path, database_url, keys_file) as (_, collector):
        spans = write_lines(collector.requests, tmp_path / "spans.jsonl")
    done = await trace(ID, "--spans", spans)
    assert done.returncode == 0, done.stdout
    tree = done.stdout.partition("offset ms  duration ms\n")[2].partition("\n\n")[0].splitlines()
    assert depth(tree, "POST /orders") < depth(tree, "job event") == depth(tree, "orders.insert")
    assert depth(tree, "job event") <= depth(tree, "webhook deliver")
    assert "audit rows: not asked: no INVENTORY_DATABASE_URL\n" in done.stdout


async def test_nothing_is_shown_that_a_log_would_not_have(database_url: str, keys_file: Path, tmp_path: Path) -> None:
    async with order(tmp_path, database_url, keys_file) as (opened, collector):
        spans = write_lines(collector.requests, tmp_path / "spans.jsonl")
        done = await opened.trace(ID, *opened.log_options(), "--spans", spans, "--json")
        (sent,) = opened.partner.requests
    body = json.loads(sent.body)
    assert body["data"]
    for secret in (sent.headers["webhook-signature"], body["timestamp"], str(opened.partner.port), "quantity"):
        assert secret not in done.stdout


async def test_a_place_that_cannot_be_read_is_said_and_the_others_are_shown(
    database_url: str, keys_file: Path, tmp_path: Path
) -> None:
    (nobody,) = free_ports(1)
    store = f"http://127.0.0.1:{nobody}"
    async with order(tmp_path, database_url, keys_file) as (opened, _):
        done = await opened.trace(ID, "--logs", tmp_path / "none", "--loki", store, "--jaeger", store, "--tempo", store)
    assert done.returncode == 3
    assert f"  ! {tmp_path}/none: No such file or directory\n" in done.stdout
    assert done.stdout.count(f"  ! {store}: cannot be reached: ") == 3
    assert "webhook deliveries: 1 (database)\n" in done.stdout


async def test_a_database_that_is_not_there_is_said_without_its_password(tmp_path: Path) -> None:
    (nobody,) = free_ports(1)
    line = {"timestamp": "2026-03-02T09:30:00.000Z", "level": "info", "request_id": ID, "message": "it", "logger": "l"}
    (tmp_path / "log").write_text(json.dumps(line))
    url = f"postgresql://someone:hidden@127.0.0.1:{nobody}/none"
    done = await trace(ID, "--logs", tmp_path / "log", INVENTORY_DATABASE_URL=url)
    assert done.returncode == 3
    assert "\naudit rows: none (database)\n  ! database: " in done.stdout
    assert "  2026-03-02T09:30:00.000Z info    l: it\n" in done.stdout
    assert "hidden" not in done.stdout + done.stderr


async def test_lines_come_by_stdin_whatever_stands_before_them(tmp_path: Path) -> None:
    line = json.dumps({"timestamp": "2026-03-02T09:30:00.000Z", "request_id": ID, "message": "\x1b[2Jit"})
    other = json.dumps({"timestamp": "2026-03-02T09:30:00.000Z", "request_id": ID + "-2", "message": "another"})
    given = f"no JSON with {ID}\n[pod/api-1/app] {line}\n{other}\n"
    done = await trace(ID, "--logs", "-", stdin=given)
    assert done.returncode == 0
    assert "log lines: 1 (-)\n" in done.stdout
    assert "\\x1b[2Jit" in done.stdout
    assert "another" not in done.stdout


async def test_a_pipe_that_does_not_end_is_read_for_so_long_and_no_longer(tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "log")
    done = await trace(ID, "--logs", tmp_path / "pipe" / "log", "--timeout", "0.5")
    assert done.returncode == 3
    assert "not read to its end within 0.5 s\n" in done.stdout


async def test_jobs_are_told_of_whatever_has_become_of_them(database_url: str) -> None:
    async def fails(_: object) -> None:
        raise RuntimeError("the partner is away")

    await add(database_url, {"n": 1})
    async with working(database_url, fails) as worker:
        await until(lambda: worker.outcome("dead"))
    await add(database_url, {"n": 2})
    await add(database_url, {"n": 3})
    await execute(database_url, "UPDATE pgqueuer SET status = 'picked' WHERE id = 3")
    done = await trace(BY_THE_TEST.request_id, "--json", INVENTORY_DATABASE_URL=database_url)
    found = [(job["id"], job["state"], job["starts"]) for job in rows(done.stdout)["jobs"]]
    assert found == [(1, "dead", 3), (2, "waiting", 0), (3, "running", 0)]
    assert "the partner is away" in rows(done.stdout)["jobs"][0]["error"]


async def test_of_an_id_that_nobody_knows_nothing_is_shown_and_the_exit_status_says_so(database_url: str) -> None:
    done = await trace("unknown", INVENTORY_DATABASE_URL=database_url)
    assert done.returncode == 1
    assert done.stdout.startswith(
        "request  unknown\ntrace    not known\n\nlog lines: not asked: no --logs and no --loki\n"
    )
    assert done.stdout.count(": none (database)\n") == 4


async def test_what_is_no_id_and_no_address_is_told_in_words() -> None:
    no_id = await trace("an id; drop")
    assert no_id.returncode == 2
    assert "'an id; drop' is no request id: 1 to 64 of A-Z a-z 0-9 . _ -" in no_id.stderr
    for address, said in (
        ("localhost:3100", "not the address of a store"),
        ("http://someone:hidden@loki", "an address with a user would be seen by others"),
    ):
        refused = await trace(ID, "--loki", address)
        assert refused.returncode == 2
        assert said in refused.stderr
        assert "hidden" not in refused.stderr
