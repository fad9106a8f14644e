"""What is done to the service. Each is a context manager that heals what it did, also when the drill fails."""

import asyncio
import math
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import asyncpg
import psutil

from inventory_api.dev.processes import runs
from tests.drills.drill import all_up
from tests.drills.faults import frozen, stopped
from tests.drills.partners import fails_often, has_left, subscribe, takes
from tests.support.meanwhile import meanwhile
from tests.support.memory_limit import memory_group
from tests.support.process import SERVE
from tests.support.service import AUTHORIZATION
from tests.support.waiting import wait_until

from .scene import WORKERS, Scene

LONGEST_SECONDS = 300.0
UNKNOWN_KIND = "of_a_later_release"
ADD_JOBS = """
INSERT INTO pgqueuer (entrypoint, priority, headers, status)
SELECT $1, 0, '{}', 'queued' FROM generate_series(1, $2::integer)
"""
POISON = (
    "INSERT INTO pgqueuer (entrypoint, priority, payload, headers, status) VALUES ('event', 0, '{', '{}', 'queued')"
)
REMOVE_JOBS = "DELETE FROM pgqueuer WHERE entrypoint = $1"
REMOVE_DEAD = "DELETE FROM pgqueuer WHERE status = 'failed'"
PAST_THE_SERVICE = "UPDATE stock_level SET on_hand = on_hand + $1::integer WHERE sku = 'A-0'"
FORGET_MIGRATION = (
    "DELETE FROM _pogo_migration WHERE migration_id = (SELECT max(migration_id) FROM _pogo_migration) RETURNING *"
)


@contextmanager
def database_stopped(scene: Scene) -> Iterator[None]:
    with stopped(scene.world.postgres):
        yield
    wait_until(scene.server.is_ready, 60)


@contextmanager
def locked(scene: Scene, table: str, held: float, let_go: float) -> Iterator[None]:
    """Somebody else locks the table for `held` seconds, again and again."""

    async def lock_and_let_go(ended: threading.Event) -> None:
        connection = await asyncpg.connect(scene.world.database_url)
        try:
            for _ in range(math.ceil(LONGEST_SECONDS / (held + let_go))):
                async with connection.transaction():
                    await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                    await asyncio.to_thread(ended.wait, held)
                if await asyncio.to_thread(ended.wait, let_go):
                    return
        finally:
            await connection.close()

    with meanwhile(lambda ended: asyncio.run(lock_and_let_go(ended))):
        yield


@contextmanager
def slow(scene: Scene) -> Iterator[None]:
    with locked(scene, "item", 0.8, 0.2):
        yield


@contextmanager
def pool_taken(scene: Scene) -> Iterator[None]:
    with locked(scene, "item", 1.9, 0.05), scene.clients.more(40):
        yield


@contextmanager
def redis_stopped(scene: Scene) -> Iterator[None]:
    with stopped(scene.world.redis):
        yield


@contextmanager
def storage_gone(scene: Scene) -> Iterator[None]:
    away = scene.storage.with_name("storage-away")
    scene.storage.rename(away)
    scene.storage.write_text("no directory")
    try:
        yield
    finally:
        scene.storage.unlink()
        away.rename(scene.storage)


@contextmanager
def server_worker_frozen(scene: Scene) -> Iterator[None]:
    with frozen(scene.server.server_workers()[0]):
        yield


@contextmanager
def server_workers_killed(scene: Scene) -> Iterator[None]:
    """The newest, as soon as it is there; the older one tells of it."""

    def kill_again_and_again(ended: threading.Event) -> None:
        for _ in range(int(LONGEST_SECONDS)):
            if len(workers := [one for one in scene.server.server_workers() if runs(one)]) == WORKERS:
                with suppress(psutil.NoSuchProcess):
                    workers[-1].kill()
            if ended.wait(1):
                return

    with meanwhile(kill_again_and_again):
        yield
    wait_until(lambda: all_up(scene.server, WORKERS))


@contextmanager
def container_ends(scene: Scene) -> Iterator[None]:
    """Of another pod, as soon as it was seen; begun anew at the same address, as a kubelet does."""
    name = _name("looping")
    again_and_again = ["sh", "-c", 'while :; do "$@"; done', "sh", *SERVE]
    with scene.another(name, again_and_again) as pod:

        def end_again_and_again(ended: threading.Event) -> None:
            for _ in range(int(LONGEST_SECONDS)):
                began = scene.state_of(f'service_start_time_seconds{{pod="{name}"}}')
                for service in pod.children():
                    if began is not None and abs(began - service.create_time()) < 5:
                        service.terminate()
                if ended.wait(1):
                    return

        try:
            with meanwhile(end_again_and_again):
                yield
        finally:
            # So that it begins none behind who ends them all.
            pod.signal(signal.SIGSTOP)


@contextmanager
def server_worker_held_back(scene: Scene) -> Iterator[None]:
    """It runs for half of the time, a third of a second each: its beats are late, and most scrapes still hear it."""
    process = scene.server.server_workers()[0]

    def hold_back(ended: threading.Event) -> None:
        for _ in range(int(LONGEST_SECONDS)):
            process.suspend()
            is_over = ended.wait(0.38)
            process.resume()
            if is_over or ended.wait(0.45):
                return

    with meanwhile(hold_back):
        yield


@contextmanager
def api_frozen(scene: Scene) -> Iterator[None]:
    """Nobody of it answers."""
    with frozen(psutil.Process(scene.server.process.pid)):
        yield
    wait_until(scene.server.is_ready, 60)


@contextmanager
def queue_worker_frozen(scene: Scene) -> Iterator[None]:
    with frozen(psutil.Process(scene.worker.process.pid)):
        yield


@contextmanager
def jobs_that_nobody_does(scene: Scene) -> Iterator[None]:
    """More come all the time."""

    def add(ended: threading.Event) -> None:
        for _ in range(int(LONGEST_SECONDS / 0.5)):
            scene.sql(ADD_JOBS, UNKNOWN_KIND, 40)
            if ended.wait(0.5):
                return

    try:
        with meanwhile(add):
            yield
    finally:
        scene.sql(REMOVE_JOBS, UNKNOWN_KIND)


@contextmanager
def measuring_held_up(scene: Scene) -> Iterator[None]:
    """Somebody locks what is read only to measure; jobs go on, but for the look at the ledger, which writes there."""
    with ledger_not_looked_at(scene), locked(scene, "ledger_check", LONGEST_SECONDS, 0):
        try:
            yield
        finally:
            # One that was begun before.
            scene.sql(REMOVE_DEAD)


@contextmanager
def job_poisoned(scene: Scene) -> Iterator[None]:
    scene.sql(POISON)
    try:
        yield
    finally:
        scene.sql(REMOVE_DEAD)


@contextmanager
def partner_fails(scene: Scene) -> Iterator[None]:
    partner = scene.partners.add(fails_often)
    subscribe(scene.server, partner, "order.created")
    try:
        yield
    finally:
        partner.behaviour = takes


@contextmanager
def partner_has_left(scene: Scene) -> Iterator[None]:
    subscribe(scene.server, scene.partners.add(has_left), "order.created")
    yield


@contextmanager
def level_changed(scene: Scene) -> Iterator[None]:
    scene.sql(PAST_THE_SERVICE, 7)
    try:
        yield
    finally:
        scene.sql(PAST_THE_SERVICE, -7)


@contextmanager
def ledger_not_looked_at(scene: Scene) -> Iterator[None]:
    scene.clients.verifies = False
    try:
        yield
    finally:
        scene.clients.verifies = True


@contextmanager
def wrong_keys(scene: Scene) -> Iterator[None]:
    scene.clients.authorization = {"Authorization": "Bearer of-somebody-else"}
    try:
        yield
    finally:
        scene.clients.authorization = AUTHORIZATION


@contextmanager
def keys_file_broken(scene: Scene) -> Iterator[None]:
    right = scene.world.keys_file.read_text()
    scene.world.keys_file.write_text("{")
    try:
        yield
    finally:
        scene.world.keys_file.write_text(right)


@contextmanager
def nobody_asks(scene: Scene) -> Iterator[None]:
    scene.clients.are_there = False
    try:
        yield
    finally:
        scene.clients.are_there = True


@contextmanager
def collector_refuses(scene: Scene) -> Iterator[None]:
    scene.collector_answers = 400
    try:
        yield
    finally:
        scene.collector_answers = 200


@contextmanager
def another_commit(scene: Scene) -> Iterator[None]:
    """One that also wants connections which are not there for it."""
    with scene.another(_name("another"), commit="another", pool_max=8):
        yield


@contextmanager
def schema_behind(scene: Scene) -> Iterator[None]:
    (row,) = scene.sql(FORGET_MIGRATION)
    columns, places = ", ".join(row.keys()), ", ".join(f"${at}" for at in range(1, len(row) + 1))
    try:
        yield
    finally:
        scene.sql(f"INSERT INTO _pogo_migration ({columns}) VALUES ({places})", *row.values())  # noqa: S608


@contextmanager
def descriptors_taken(scene: Scene) -> Iterator[None]:
    """The limit is small, and connections that say nothing take what there is."""
    command = ["sh", "-c", 'ulimit -n 160; exec "$@"', "sh", *SERVE]
    with scene.another(_name("descriptors"), command) as server:
        address = ("127.0.0.1", server.port)

        def take(ended: threading.Event) -> None:
            for _ in range(int(LONGEST_SECONDS)):
                with suppress(OSError), ExitStack() as taken:
                    for _ in range(130):
                        taken.enter_context(socket.create_connection(address, 1))
                    if ended.wait(1):
                        return
                if ended.wait(0.01):
                    return

        with meanwhile(take):
            yield


@contextmanager
def memory_nearly_full(scene: Scene) -> Iterator[None]:
    """In a control group with a limit that it has nearly reached."""
    name = _name("memory")
    with memory_group() as group, scene.another(name, group.command(SERVE)):
        used = wait_until(lambda: scene.state_of(f'cgroup_memory_working_set_bytes{{pod="{name}"}}'))
        assert used is not None
        group.limit(int(used * 1.06))
        yield


def _name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:6]}"
