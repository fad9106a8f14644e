"""Many upload at once, and others only read: everybody is served, and what was broken off leaves nothing."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.attaching import PDF, image, pdf_of, sha256
from tests.support.process import Server
from tests.support.s3 import BUCKET, S3Server, s3_server
from tests.support.service import AUTHORIZATION
from tests.support.waiting import let_pass, wait_until

from .drill import Drill, metric
from .load import Request
from .memory import peak, reset_peak, resident
from .uploading import NICE, uploading
from .world import make_directory

MEBIBYTE = 1_048_576
FILE_BYTES = 10 * MEBIBYTE
GIGABYTE = 1_000_000_000
MOST_GROWTH = 64_000_000
MOST_LAG_SECONDS = 0.05
READS = [Request("GET", "GET", "/inventory/A-0")]
READ_RATE = 200.0
# What an idle process answers in can be a millisecond: of that, twice is still nothing.
FEW_SECONDS = 0.01
# What measures has its core when it is due, where that is allowed: it takes little of one.
FIRST = -10
AVAILABLE = "SELECT id FROM attachment WHERE status = 'available'"
OTHERS = "SELECT status, count(*) FROM attachment WHERE status <> 'available' AND deleted_at IS NULL GROUP BY status"


@pytest.fixture
def s3(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """With the bucket that is named there; the service that is started then uses it."""
    with s3_server(make_directory(drill.world.directory / "s3")) as server:
        # Where it is in earnest, it has processors of its own.
        psutil.Process(server.pid).nice(NICE)
        server.make_bucket(BUCKET)
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def test_many_upload_at_once_and_nobody_else_waits(drill: Drill, s3: S3Server) -> None:
    """40 clients upload 10 MiB each at once, 20 more leave in the middle, and others read items"""
    _upload(drill, s3, clients=40, leavers=20)


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_very_many_upload_at_once_and_nobody_else_waits(drill: Drill, s3: S3Server) -> None:
    """200 clients upload 10 MiB each at once, 100 more leave in the middle, and others read items"""
    _upload(drill, s3, clients=200, leavers=100)


@pytest.mark.thorough
def test_a_gigabyte_goes_to_the_storage_and_none_of_it_through_the_service(drill: Drill, s3: S3Server) -> None:
    """A PDF of 1 GB is uploaded to the storage directly, looked at, and downloaded"""
    server = drill.serve(storage_url=f"s3://{BUCKET}")
    (sku,) = drill.add_items(server, 1)
    content = pdf_of(GIGABYTE)
    workers = server.server_workers()
    reset_peak(workers)
    memory = resident(workers)
    with httpx.Client(base_url=server.api, headers=AUTHORIZATION, timeout=60) as client:
        promise = {"filename": "a.pdf", "content_type": PDF, "size": len(content), "sha256": sha256(content)}
        signed = client.post("/attachments/uploads", json={"owner": {"type": "item", "id": sku}, **promise}).json()
        answer = httpx.put(signed["url"], content=content, headers=signed["headers"], timeout=120)
        drill.report.claim("the storage takes it", answer.status_code == 200, answer.status_code)
        began = time.monotonic()
        completed = client.post(f"/attachments/{signed['id']}/complete")
        seconds = time.monotonic() - began
        drill.report.claim("it is available", completed.json().get("status") == "available", completed.text[:100])
        drill.report.say(f"after a look at it of {seconds * 1000:.0f} ms")
        began, digest, size = time.monotonic(), hashlib.sha256(), 0
        with client.stream("GET", f"/attachments/{signed['id']}/content") as download:
            for chunk in download.iter_bytes():
                digest.update(chunk)
                size += len(chunk)
        seconds = time.monotonic() - began
        is_same = (size, digest.hexdigest()) == (GIGABYTE, promise["sha256"])
        drill.report.claim("it is downloaded as it was", is_same, f"{size} B, {size / seconds / 1e6:.0f} MB/s")
    growth = peak(workers) - memory
    drill.report.claim("memory of the server worker grows by less than 64 MB", growth < MOST_GROWTH, growth)
    _claim_nothing_is_left(drill, server, s3, 1)
    drill.report.verdict()


def _upload(drill: Drill, s3: S3Server, clients: int, leavers: int) -> None:
    server = drill.serve(storage_url=f"s3://{BUCKET}")
    drill.add_items(server, 1)
    path = "/inventory/A-0/attachments"
    file = drill.world.directory / "a.png"
    file.write_bytes(_picture())
    with httpx.Client(base_url=server.api, headers=AUTHORIZATION, timeout=30) as client:
        client.post(path, files={"file": ("a.png", file.read_bytes(), "image/png")}).raise_for_status()
    alone = drill.load(server, READS, rate=READ_RATE, nice=FIRST)
    let_pass(10)
    found = {"alone": alone.stop()}
    lag = _lags(server)
    workers = server.server_workers()
    reset_peak(workers)
    memory = resident(workers)
    beside = drill.load(server, READS, rate=READ_RATE, nice=FIRST)
    uploads = uploading(server.port, path, file, clients=clients, leavers=leavers, headers=AUTHORIZATION).wait()
    found["beside uploads"] = beside.stop()
    speed = clients * FILE_BYTES / uploads.seconds / MEBIBYTE
    drill.report.say(f"{uploads.tries} tries, {uploads.seconds:.1f} s, that is {speed:.0f} MiB/s")
    is_all_taken = uploads.results == {"201": clients, "left": leavers}
    drill.report.claim("every upload is taken at last", is_all_taken, uploads.results)
    growth = peak(workers) - memory
    drill.report.load(found)
    _claim_nothing_is_left(drill, server, s3, clients + 1)
    failed = sum(len(reads.failed) for reads in found.values())
    drill.report.measure("every read is answered", not failed, failed)
    before, during = (reads.percentile(99) for reads in found.values())
    drill.report.measure(
        "p99 of reads less than doubles, or is under 10 ms",
        during < max(2 * before, FEW_SECONDS),
        f"{before * 1000:.1f} and {during * 1000:.1f} ms",
    )
    drill.report.claim(
        "memory of the server worker grows by less than 64 MB", growth < MOST_GROWTH, f"{growth / 1e6:.0f} MB"
    )
    late = _share_later(lag, _lags(server))
    drill.report.measure("the event loop is late by less than 50 ms (p99)", late < 0.01, f"{late:.3%} later")
    drill.report.verdict()


def _claim_nothing_is_left(drill: Drill, server: Server, s3: S3Server, uploaded: int) -> None:
    wait_until(lambda: metric(server, "content_transfers") == 0, 30)
    rows = {f"attachments/{row[0]}" for row in drill.world.fetch(AVAILABLE)}
    objects = {*s3.objects(BUCKET)}
    drill.report.claim("each that was taken has its object", rows == objects and len(rows) == uploaded, len(objects))
    drill.report.claim("and there is no other row", drill.world.fetch(OTHERS) == [], drill.world.fetch(OTHERS))
    spools = [link for link in _open_files(server) if link.endswith("(deleted)") and "gunicorn" not in link]
    drill.report.claim("nor a file that is still open", spools == [], spools)


def _open_files(server: Server) -> list[str]:
    folders = [Path(f"/proc/{process.pid}/fd") for process in server.server_workers()]
    return [str(link.readlink()) for folder in folders for link in folder.iterdir() if link.is_symlink()]


def _picture() -> bytes:
    """Of hardly fewer bytes than are taken."""
    picture = image(noise=int(FILE_BYTES * 1.08))
    assert FILE_BYTES * 0.9 < len(picture) <= FILE_BYTES
    return picture


def _lags(server: Server) -> dict[str, float]:
    samples = [sample for family in text_string_to_metric_families(server.metrics()) for sample in family.samples]
    return {one.labels["le"]: one.value for one in samples if one.name == "event_loop_lag_seconds_bucket"}


def _share_later(before: dict[str, float], after: dict[str, float]) -> float:
    counted = {le: after[le] - before[le] for le in after}
    return 1 - counted[str(MOST_LAG_SECONDS)] / counted["+Inf"]
