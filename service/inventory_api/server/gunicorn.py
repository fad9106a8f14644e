"""gunicorn as the supervisor of the server workers, configured from Settings alone."""

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from inventory_api.server.slot import Slot
from inventory_api.server.supervision import Supervision
from inventory_api.server.supervisor import Supervisor
from inventory_api.settings import Settings
from inventory_api.telemetry import logging as json_logging

# Longer than the idle time of common load balancers (60 s), so that it is never this side that closes first.
KEEP_ALIVE_SECONDS = 75
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- gunicorn makes a private file there; a disk could block the heartbeat


class GunicornServer(BaseApplication):  # type: ignore[misc]  # has no types
    """`GunicornServer(settings).run()` serves until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.began = time.time()
        self.slot_number = 0
        self.supervision = Supervision(settings.workers)
        self.directory = Path(tempfile.mkdtemp(prefix="inventory-api-"))
        super().__init__()

    def run(self) -> None:
        """Serve; leaves by SystemExit, in the server workers too, which must not clean up."""
        supervisor = os.getpid()
        try:
            Supervisor(self).run()
        finally:
            if os.getpid() == supervisor:
                shutil.rmtree(self.directory, ignore_errors=True)

    def load_config(self) -> None:
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Called in each server worker, after the fork."""
        from inventory_api.app import create_app  # noqa: PLC0415 -- the supervisor stays small

        return create_app(self.settings, self.slot())

    def slot(self) -> Slot:
        """That of the server worker which asks."""
        return Slot(self.slot_number, self.directory, self.supervision, self.began)

    def stack_file(self, number: int) -> Path:
        """Where a server worker that is ended by a fault, or because it is wedged, writes where it was."""
        return self.directory / f"{number}.stack"

    def _options(self) -> dict[str, Any]:
        settings = self.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return {
            "bind": [f"{host}:{settings.port}", f"{host}:{settings.management_port}"],
            "workers": settings.workers,
            "worker_class": "inventory_api.server.worker.ServerWorker",
            "worker_tmp_dir": str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None,
            "timeout": settings.server_worker_timeout,
            "graceful_timeout": settings.graceful_timeout,
            "keepalive": KEEP_ALIVE_SECONDS,
            # Its socket file cannot be made on a read-only root.
            "control_socket_disable": True,
            "logconfig_dict": json_logging.dict_config(settings.log_level),
            "pre_fork": self._take_slot,
            "post_fork": self._enter_slot,
        }

    def _take_slot(self, _: Any, worker: Any) -> None:
        worker.slot_number = self.supervision.take_slot()

    def _enter_slot(self, _: Any, worker: Any) -> None:
        self.slot_number = worker.slot_number
