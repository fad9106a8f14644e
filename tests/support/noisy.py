"""`inventory-api serve` where everybody makes noise: run as a program, with `/noise` as one more route."""

import asyncio
import gc
import os
import sys
import threading
import warnings
from typing import Any

from inventory_api import cli
from inventory_api.server import gunicorn


class NoisyServer(gunicorn.GunicornServer):
    def load(self) -> Any:
        application = super().load()
        application.api.add_api_route("/noise", _noise)
        return application

    def run(self) -> None:
        supervisor = os.getpid()
        warnings.warn("noise of the supervisor", stacklevel=1)
        _run_in_thread("noise of the supervisor's thread")
        try:
            super().run()
        except SystemExit:
            if os.getpid() != supervisor:
                raise
            raise LookupError("noise of the supervisor's end") from None


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


if __name__ == "__main__":
    gunicorn.GunicornServer = NoisyServer  # type: ignore[misc]
    sys.exit(cli.main(["serve"]))
