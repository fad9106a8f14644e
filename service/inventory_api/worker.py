"""`inventory-api worker`: one process that takes jobs from the queue, with a management port of its own."""

import asyncio
import logging
import os
import signal
import sys

from inventory_api import __version__
from inventory_api.app import create_resources
from inventory_api.drain import Drain
from inventory_api.jobs import gauges
from inventory_api.jobs.handlers import Handlers, RetentionDays
from inventory_api.jobs.worker import HAND_BACK_SECONDS, QueueWorker
from inventory_api.server.management import create_management
from inventory_api.server.management_port import listening
from inventory_api.server.metrics_gathering import MetricsGatherer
from inventory_api.server.slot import Slot
from inventory_api.settings import Settings
from inventory_api.telemetry import event_loop
from inventory_api.telemetry import logging as json_logging
from inventory_api.telemetry.metrics import Metrics
from inventory_api.webhooks.deliverer import Deliverer
from inventory_api.webhooks.dialling import CheckedBackend
from inventory_api.webhooks.resolving import Resolver
from inventory_api.webhooks.sending import Sender

logger = logging.getLogger(__name__)

# Nobody waits for an answer: what is done here waits for its connection.
ACQUIRE_SECONDS = 5.0


async def run(settings: Settings) -> int:
    """Until SIGTERM or SIGINT: then no job is taken any more, those that are being done get `drain_timeout`, and what
    is left is handed back. The management port answers until the end.

    Raises:
        OSError: the management port is taken.
    """
    metrics, drain, asked = Metrics(), Drain(), asyncio.Event()
    metrics.build_info.labels(version=__version__, commit=settings.commit, component="worker").set(1)
    # It reads none, which is no failure.
    metrics.registry.unregister(metrics.api_keys_loaded)
    json_logging.count_records(metrics.log_records)
    # One more, by which the queue is measured, and webhooks are claimed and recorded.
    patient = settings.model_copy(update={"pool_acquire_timeout": ACQUIRE_SECONDS})
    resources = create_resources(patient, metrics, drain, settings.job_concurrency + 1)
    gatherer = MetricsGatherer(metrics, Slot())
    management = create_management(settings, metrics, resources.health, gatherer, drain)
    resolver = Resolver()
    backend = CheckedBackend(resolver, admit_loopback=settings.webhook_loopback)
    sender = Sender(backend, connections=settings.webhook_concurrency)
    deliverer = Deliverer(
        resources.database,
        sender,
        metrics,
        resources.webhook_rules,
        at_once=settings.webhook_concurrency,
        heartbeat_seconds=settings.job_heartbeat,
    )
    handlers = Handlers(
        resources.database,
        settings.current_database_url,
        RetentionDays(
            audit=settings.audit_retention_days,
            reservations=settings.reservation_retention_days,
            job_log=settings.job_log_retention_days,
            webhooks=settings.webhook_retention_days,
            attachments=settings.attachment_retention_days,
        ),
        resources.webhook_rules.schedule,
        deliverer.wake,
        resources.storage,
    )
    worker = QueueWorker(
        settings.current_database_url,
        resources.database,
        handlers.by_name(),
        metrics,
        concurrency=settings.job_concurrency,
        heartbeat_seconds=settings.job_heartbeat,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    port = listening(management, settings.host, settings.management_port)
    async with port, resources.opened(), resolver, sender, event_loop.watched(metrics):
        measuring = asyncio.create_task(gauges.measure(resources.database, metrics), name="gauges")
        running = {
            asyncio.create_task(worker.run(), name="worker"),
            asyncio.create_task(deliverer.run(), name="webhooks"),
        }
        logger.info("the queue worker takes up to %d jobs at once", settings.job_concurrency)
        await asked.wait()
        drain.begin()
        await _stop(worker, deliverer, running, settings.drain_timeout)
        measuring.cancel()
    logger.info("the queue worker has ended")
    return 0


async def _stop(worker: QueueWorker, deliverer: Deliverer, running: set[asyncio.Task[None]], seconds: float) -> None:
    logger.info("the queue worker takes no more jobs; those that are being done get %s s", seconds)
    worker.stop()
    deliverer.stop()
    _, left = await asyncio.wait(running, timeout=seconds)
    if left:
        worker.hand_back()
        await deliverer.hand_back()
        _, left = await asyncio.wait(left, timeout=HAND_BACK_SECONDS)
    if left:
        # To cancel what is left would make PgQueuer remove its jobs; that this process is silent tells of them.
        logger.error("jobs could not be handed back in time; others take them when their heartbeat is missed")
        sys.stdout.flush()
        os._exit(1)
