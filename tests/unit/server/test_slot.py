"""Slots of server workers."""

import pytest

from inventory_api.server.slot import first_free


@pytest.mark.parametrize(("taken", "free"), [(set(), 0), ({0}, 1), ({0, 2}, 1), ({1, 2}, 0)])
def test_a_new_worker_takes_the_lowest_free_slot(taken: set[int], free: int) -> None:
    assert first_free(taken) == free
