"""The page of memory that the supervisor and its server workers share."""

import os
import signal

import pytest

from inventory_api.server.slot import Slot
from inventory_api.server.supervision import Supervision
from inventory_api.server.supervisor import exit_reason


def test_slots_are_given_out_from_the_first_and_again_when_vacant() -> None:
    supervision = Supervision(2)
    assert [supervision.take_slot() for _ in range(3)] == [0, 1, 2]
    supervision.end(1, "killed")
    assert supervision.take_slot() == 1


def test_a_reload_has_room_for_as_many_again_and_no_more() -> None:
    supervision = Supervision(2)
    for _ in range(4):
        assert not supervision.is_full()
        supervision.take_slot()
    assert supervision.is_full()


def test_one_that_leaves_is_still_expected_to_answer_and_does_not_count_as_serving() -> None:
    supervision = Supervision(1)
    supervision.take_slot()
    supervision.leave(0)
    assert not supervision.is_serving(0)
    assert supervision.take_slot() == 1
    assert supervision.expected() == [0, 1]
    supervision.end(0, "stopped")
    assert supervision.expected() == [1]


def test_a_slot_that_nobody_took_yet_is_expected_up_to_the_configured_number() -> None:
    supervision = Supervision(3)
    supervision.take_slot()
    assert supervision.expected() == [0, 1, 2]


def test_exits_are_counted_by_slot_and_reason_and_begin_at_zero() -> None:
    supervision = Supervision(1)
    supervision.take_slot()
    assert {count for _, _, count in supervision.exits()} == {0}
    supervision.end(0, "killed")
    supervision.take_slot()
    supervision.end(0, "killed")
    assert [found for found in supervision.exits() if found[2]] == [(0, "killed", 2)]


def test_what_one_process_writes_the_others_read() -> None:
    supervision = Supervision(1)
    supervision.take_slot()
    if (pid := os.fork()) == 0:
        supervision.leave(0)
        os._exit(0)
    os.waitpid(pid, 0)
    assert not supervision.is_serving(0)


def test_without_a_supervisor_the_only_server_worker_is_the_last() -> None:
    assert Slot().is_last()
    assert Slot().expected() == [0]
    assert not list(Slot().exits())


def test_a_server_worker_is_the_last_only_while_all_stop() -> None:
    supervision = Supervision(1)
    slot = Slot(0, None, supervision)
    assert not slot.is_last()
    supervision.stop()
    assert slot.is_last()


@pytest.mark.parametrize(
    ("code", "wedged", "reason"),
    [
        (0, False, "stopped"),
        (-signal.SIGTERM, False, "stopped"),
        (-signal.SIGKILL, False, "killed"),
        (-signal.SIGSEGV, False, "crashed"),
        (1, False, "failed"),
        (-signal.SIGABRT, True, "wedged"),
        (-signal.SIGKILL, True, "wedged"),
    ],
)
def test_the_reason_of_an_exit_is_told_by_how_it_ended(code: int, wedged: bool, reason: str) -> None:
    assert exit_reason(code, wedged=wedged) == reason
