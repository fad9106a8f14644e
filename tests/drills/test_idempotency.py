"""One Idempotency-Key, sent many times at once or again after a server worker was killed: one effect, one answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import psutil
import pytest

from tests.support.process import Server
from tests.support.service import AUTHORIZATION, ITEM
from tests.support.waiting import let_pass, wait_until

from . import claims
from .drill import Drill, all_up, metric
from .gate import Gate, gate

SKU = "A-0"
WORKERS, POOL = 2, 8
AT_ONCE, KEYS = 20, 10
KILLS = 3
SAMPLES = 10
PATIENCE_SECONDS = 30.0
BODY = {"lines": [{"sku": SKU, "delta": -1, "reason": "sold"}]}
MOVEMENTS = "SELECT count(*) FROM stock_movement WHERE kind = 'adjustment'"


@pytest.fixture
def senders() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(AT_ONCE) as executor:
        yield executor


def test_one_key_twenty_times_at_once(drill: Drill, senders: ThreadPoolExecutor) -> None:
    """One Idempotency-Key is sent 20 times at once, for each of 10 keys"""
    server, report = _served(drill), drill.report
    bodies, replayed, others = set[bytes](), 0, list[str]()
    for key in range(KEYS):
        answers = list(senders.map(lambda number, key=key: _adjust(server, f"key-{key}"), range(AT_ONCE)))
        bodies |= {answer.content for answer in answers}
        replayed += sum("Idempotent-Replayed" in answer.headers for answer in answers)
        others += [answer.text for answer in answers if answer.status_code != 201]
    report.claim("each is answered by a 201", not others, others[:3] or KEYS * AT_ONCE)
    report.claim("one body for each key", len(bodies) == KEYS, len(bodies))
    report.claim("all but one of each are replayed", replayed == KEYS * (AT_ONCE - 1), replayed)
    _claim_effects(drill, KEYS)
    claims.log_has_no_errors(drill, server)
    _end(drill, server)


def test_duplicates_that_wait_hold_no_connection(drill: Drill, senders: ThreadPoolExecutor) -> None:
    """19 duplicates wait for the first, which is held at its COMMIT"""
    server, report = _served(drill), drill.report
    with gate(drill.world.database_url) as held:
        held.close()
        sent = [senders.submit(_adjust, server, "key") for _ in range(AT_ONCE)]
        wait_until(lambda: held.waiting() == 1 and metric(server, "http_server_active_requests") == AT_ONCE)
        used = [metric(server, "db_client_connections", state="used")]
        while used[-1] > 1 and len(used) < SAMPLES:
            used.append(metric(server, "db_client_connections", state="used"))
        read = httpx.get(f"{server.api}/inventory/{SKU}", headers=AUTHORIZATION)
        held.open()
        answers = [future.result() for future in sent]
    # Each looks for the first again and again, for a moment each time: now and then none does.
    report.claim("one connection is used, that of the first", used[-1] == 1, used)
    report.claim("meanwhile others are served", read.status_code == 200, read.status_code)
    statuses = sorted({answer.status_code for answer in answers})
    report.claim("each is answered by a 201", statuses == [201], statuses)
    report.claim("they are told the same", len({answer.content for answer in answers}) == 1)
    _claim_effects(drill, 1)
    claims.log_has_no_errors(drill, server)
    _end(drill, server)


@pytest.mark.parametrize("moment", ["at COMMIT", "after COMMIT"])
def test_the_server_worker_is_killed(drill: Drill, senders: ThreadPoolExecutor, moment: str) -> None:
    """A server worker is killed between the effect of a key and its answer, and the key sent again"""
    server, report = _served(drill), drill.report
    report.say(moment)
    unanswered, replayed, same = 0, 0, 0
    with gate(drill.world.database_url) as held:
        for number in range(KILLS):
            wait_until(lambda: all_up(server, WORKERS))
            held.close()
            first = senders.submit(_adjust, server, f"key-{number}", f"first-{number}")
            wait_until(lambda: held.waiting() == 1)
            worker = _worker_with_a_client(server)
            if moment == "after COMMIT":
                _commit_unheard(drill, worker, held)
            _end_process(worker)
            again = senders.submit(_adjust_again, server, f"key-{number}")
            if moment == "at COMMIT":
                # The transaction goes on without its client; what is sent again comes while it does.
                wait_until(lambda: _is_waiting(server))
                held.open()
            unanswered += isinstance(first.exception(), httpx.TransportError)
            answer = again.result()
            replayed += answer.headers.get("Idempotent-Replayed") == "true"
            same += [made["request_id"] for made in answer.json()["movements"]] == [f"first-{number}"]
    report.claim("none of the first is answered", unanswered == KILLS, unanswered)
    report.claim("each that is sent again is told what was done", replayed == KILLS, replayed)
    report.claim("and that it was done by the first", same == KILLS, same)
    _claim_effects(drill, KILLS)
    _end(drill, server)


def _commit_unheard(drill: Drill, worker: psutil.Process, held: Gate) -> None:
    """The server worker stands still from here on, so that it never hears of the COMMIT."""
    before = _effects(drill)
    worker.suspend()
    held.open()
    wait_until(lambda: _effects(drill) == before + 1)


def _end_process(process: psutil.Process) -> None:
    process.kill()
    wait_until(lambda: not process.is_running())


def _worker_with_a_client(server: Server) -> psutil.Process:
    """There is one request, so it is that of the request."""
    (found,) = [
        worker
        for worker in server.server_workers()
        if any(bool(one.raddr) and one.laddr.port == server.port for one in worker.net_connections("tcp"))
    ]
    return found


def _served(drill: Drill) -> Server:
    """With one item, and room for all the requests in either server worker."""
    server = drill.serve(workers=WORKERS, pool_max=POOL, max_in_flight=2 * AT_ONCE, pool_acquire_timeout=2)
    drill.add_items(server, 1)
    return server


def _adjust(server: Server, key: str, request_id: str | None = None) -> httpx.Response:
    headers = {**AUTHORIZATION, "Idempotency-Key": key, **({"X-Request-ID": request_id} if request_id else {})}
    return httpx.post(f"{server.api}/inventory/adjustments", json=BODY, headers=headers, timeout=PATIENCE_SECONDS)


def _adjust_again(server: Server, key: str) -> httpx.Response:
    """Until the first is no longer being worked on, as a client is told to."""
    while (answer := _adjust(server, key)).status_code == 409:
        let_pass(float(answer.headers["Retry-After"]))
    return answer


def _is_waiting(server: Server) -> bool:
    """A request is being answered by a server worker that is alive."""
    with suppress(httpx.HTTPError):
        return metric(server, "http_server_active_requests") == 1
    return False


def _effects(drill: Drill) -> int:
    return int(drill.world.fetch(MOVEMENTS)[0][0])


def _claim_effects(drill: Drill, wanted: int) -> None:
    left = drill.world.fetch("SELECT on_hand FROM stock_level WHERE sku = $1", SKU)[0][0]
    drill.report.claim("one effect for each key", (_effects(drill), left) == (wanted, ITEM["quantity"] - wanted), left)


def _end(drill: Drill, server: Server) -> None:
    claims.no_connection_leaks(drill, server, WORKERS * (POOL + 1))
    drill.report.verdict()
