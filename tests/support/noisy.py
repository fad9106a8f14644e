"""`inventory-api serve` where everybody makes noise: run as a program, with `/noise` as one more route."""

import asyncio
import gc
import threading
import warnings
from typing import Any

from inventory_api import settings
from inventory_api.server.gunicorn import GunicornServer
from inventory_api.telemetry import logging as json_logging


class NoisyServer(GunicornServer):
    def load(self) -> Any:
        application = super().load()
        application.api.add_api_route("/noise", _noise)
        return application


async def _noise() -> None:
    warnings.warn("noise of a warning", stacklevel=1)
    _run_in_thread("noise of a thread")
    task = asyncio.ensure_future(_fail("noise of a task"))
    await asyncio.wait([task])
    del task
    gc.collect()


async def _fail(message: str) -> None:
    raise LookupError(message)


def _run_in_thread(message: str) -> None:
    thread = threading.Thread(target=asyncio.run, args=(_fail(message),))
    thread.start()
    thread.join()


def main() -> None:
    loaded = settings.load()
    json_logging.configure(loaded.log_level)
    warnings.warn("noise of the supervisor", stacklevel=1)
    _run_in_thread("noise of the supervisor's thread")
    try:
        NoisyServer(loaded).run()
    except SystemExit:
        raise LookupError("noise of the supervisor's end") from None


if __name__ == "__main__":
    main()
