"""A loop that is held up is seen."""

import time

from tests.support.service import Service
from tests.support.waiting import eventually

BLOCKED_SECONDS = 0.8


async def test_a_blocked_loop_is_seen_as_lag(service: Service) -> None:
    async def late_beats() -> float:
        counted = await service.metric("event_loop_lag_seconds_count")
        return counted - await service.metric("event_loop_lag_seconds_bucket", le="0.25")

    async def block() -> None:
        end = time.perf_counter() + BLOCKED_SECONDS
        while time.perf_counter() < end:
            pass

    service.app.api.add_api_route("/block", block)
    before = await late_beats()
    await service.api.get("/block")

    async def seen() -> bool:
        return await late_beats() > before

    await eventually(seen)
