"""`inventory-api serve` with routes that do what no route of the service should; run as a module."""

import asyncio
import logging
import sys
import time
from typing import Any

from fastapi import BackgroundTasks

from inventory_api import settings
from inventory_api.server.gunicorn import GunicornServer

logger = logging.getLogger("tests.misbehaving")
UNABLE = "unable"
SLOW = "slow"


class MisbehavingServer(GunicornServer):
    """`/block` keeps the event loop for ever; `/background` leaves work of that many seconds behind its response.

    With the argument `unable`, no server worker can start; with `slow`, each takes a while for what comes first.
    """

    def _enter_slot(self, _: Any, worker: Any) -> None:
        super()._enter_slot(_, worker)
        if SLOW in sys.argv:
            time.sleep(2)

    def load(self) -> Any:
        if UNABLE in sys.argv:
            raise LookupError("unable")
        application = super().load()

        async def block() -> None:
            while True:
                time.sleep(60)  # noqa: ASYNC251 -- that is the point

        async def background(seconds: float, tasks: BackgroundTasks) -> None:
            tasks.add_task(_work, seconds)

        application.api.add_api_route("/block", block)
        application.api.add_api_route("/background", background)
        return application


async def _work(seconds: float) -> None:
    logger.info("background work has begun")
    await asyncio.sleep(seconds)
    logger.info("background work is done")


if __name__ == "__main__":
    MisbehavingServer(settings.load()).run()
