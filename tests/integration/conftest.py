"""A machine that stands still for some seconds is no failure of the service, but where the time-outs are the claim."""

import pytest

from inventory_api.database import pool

SECONDS = 15


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("time_outs") is None:
        monkeypatch.setattr(pool, "CONNECT_TIMEOUT", SECONDS)
        monkeypatch.setattr(pool, "COMMAND_TIMEOUT", SECONDS)
        monkeypatch.setitem(pool.SERVER_SETTINGS, "statement_timeout", str(1_000 * SECONDS))
