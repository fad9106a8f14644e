"""Where many ask at once, a machine that stands still for some seconds is no failure of theirs."""

import pytest

from inventory_api.database import pool

MANY_AT_ONCE = {"orders", "reservations", "stock"}
SECONDS = 15


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-outs themselves have tests of their own, in tests/integration/database."""
    if request.path.parent.name in MANY_AT_ONCE:
        monkeypatch.setattr(pool, "CONNECT_TIMEOUT", SECONDS)
        monkeypatch.setattr(pool, "COMMAND_TIMEOUT", SECONDS)
        monkeypatch.setitem(pool.SERVER_SETTINGS, "statement_timeout", str(1_000 * SECONDS))
