"""The command line: `inventory-api serve | worker | migrate | dev | openapi | jobs | trace | verify-ledger`."""

import argparse
import asyncio
import json
import logging
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from inventory_api import __version__, settings
from inventory_api.errors import ServiceError
from inventory_api.telemetry import logging as json_logging

logger = logging.getLogger(__name__)

USAGE_ERROR = 2
MAX_JOB_ID = 2**63 - 1
# Of hours, ten years; and of seconds more than anybody waits.
MOST_OF_TIME = 87_600


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit status 2 for a wrong setting or argument, 1 for a failure, each told in one line."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except settings.SettingsError as error:
        print(f"inventory-api: {error}", file=sys.stderr)
        return USAGE_ERROR


def _serve(_: argparse.Namespace) -> int:
    loaded = settings.load()
    loaded.check_addresses()
    json_logging.configure(loaded.log_level)
    from inventory_api.server.gunicorn import GunicornServer  # noqa: PLC0415 -- each command imports what it needs

    GunicornServer(loaded).run()
    return 0


def _worker(_: argparse.Namespace) -> int:
    import uvloop  # noqa: PLC0415

    from inventory_api import worker  # noqa: PLC0415

    loaded = settings.load()
    loaded.check_addresses()
    json_logging.configure(loaded.log_level)
    try:
        return uvloop.run(worker.run(loaded))
    except OSError as error:
        logger.error("the management port %d: %s", loaded.management_port, error.strerror)
        return 1


def _migrate(options: argparse.Namespace) -> int:
    from inventory_api.database.migrate import MigrationError, migrate  # noqa: PLC0415

    loaded = settings.load()
    json_logging.configure(loaded.log_level)
    try:
        asyncio.run(migrate(loaded.current_database_direct_url, wait_seconds=options.timeout))
    except MigrationError as error:
        logger.error("%s", error)
        return 1
    return 0


def _openapi(_: argparse.Namespace) -> int:
    from inventory_api.app import create_app  # noqa: PLC0415

    try:
        print(json.dumps(create_app(settings.load()).api.openapi(), indent=2), flush=True)
    except BrokenPipeError:
        # Its reader, such as `head`, has enough. What is flushed at the exit must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"inventory-api: the document cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _verify_ledger(_: argparse.Namespace) -> int:
    from inventory_api.stock.command import verify_ledger  # noqa: PLC0415

    loaded = settings.load()
    json_logging.configure(loaded.log_level)
    return asyncio.run(verify_ledger(loaded.current_database_direct_url))


def _jobs(options: argparse.Namespace) -> int:
    from inventory_api.jobs import command  # noqa: PLC0415

    loaded = settings.load()
    json_logging.configure(loaded.log_level)
    try:
        asyncio.run(command.run(loaded.current_database_url, options.action, options.id, print))
    except ServiceError as error:
        print(f"inventory-api jobs: {error.message}", file=sys.stderr)
        return 1
    return 0


def _trace(options: argparse.Namespace) -> int:
    from inventory_api.trace import command  # noqa: PLC0415

    loaded = settings.load()
    sources = command.Sources(
        log_files=options.logs,
        loki=options.loki,
        loki_selector=options.loki_selector,
        jaeger=options.jaeger,
        tempo=options.tempo,
        span_files=options.spans,
        dsn=loaded.current_database_url() if loaded.has_database else None,
        hours=options.hours,
        seconds=options.timeout,
    )
    return command.run(options.request_id, sources, print, is_json=options.json)


def _dev(options: argparse.Namespace) -> int:
    from inventory_api.dev.command import run  # noqa: PLC0415

    return run(options)


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (value := float(text)) < math.inf:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")


def _positive(text: str) -> float:
    if 0 < (value := _seconds(text)) <= MOST_OF_TIME:
        return value
    raise argparse.ArgumentTypeError(f"{text!r} is not above 0, or is above {MOST_OF_TIME}")


def _job_id(text: str) -> int:
    with suppress(ValueError):
        if 1 <= (value := int(text)) <= MAX_JOB_ID:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no id of a job")


def _request_id(text: str) -> str:
    from inventory_api.http.context import REQUEST_ID  # noqa: PLC0415

    if REQUEST_ID.fullmatch(text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no request id: 1 to 64 of A-Z a-z 0-9 . _ -")


def _store(text: str) -> str:
    from inventory_api.trace.fetching import base_url  # noqa: PLC0415

    try:
        return base_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _port(text: str) -> int:
    with suppress(ValueError):
        if 1 <= (value := int(text)) <= 65_535:  # noqa: PLR2004
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no port: 1 to 65535")


def parser() -> argparse.ArgumentParser:
    """Of all commands, and their options."""
    parser = argparse.ArgumentParser(prog="inventory-api", description="Inventory, orders and attachments over HTTP.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the API and the management port, as INVENTORY_* says")
    serve.set_defaults(run=_serve)

    worker = commands.add_parser("worker", help="do the jobs of the queue; serves the management port only")
    worker.set_defaults(run=_worker)

    migrate = commands.add_parser("migrate", help="bring the database's schema up to date")
    migrate.add_argument(
        "--timeout", type=_seconds, default=300.0, help="seconds to wait for the database (default 300)"
    )
    migrate.set_defaults(run=_migrate)

    openapi = commands.add_parser("openapi", help="print the OpenAPI document of the API")
    openapi.set_defaults(run=_openapi)

    verify_ledger = commands.add_parser(
        "verify-ledger",
        help="compare every stock level with the sum of its movements; exit status 1 where they differ, 3 unread",
    )
    verify_ledger.set_defaults(run=_verify_ledger)

    jobs = commands.add_parser("jobs", help="dead letters of the queue: list them, replay or purge one")
    actions = jobs.add_subparsers(required=True, metavar="ACTION", dest="action")
    actions.add_parser("list", help="a line of JSON for each, newest first").set_defaults(id=0)
    for action, meaning in (("replay", "let it be started again"), ("purge", "remove it")):
        actions.add_parser(action, help=meaning).add_argument("id", type=_job_id)
    jobs.set_defaults(run=_jobs)

    trace = commands.add_parser(
        "trace",
        help="everything about one request: log, trace, audit, stock movements, jobs, webhooks",
        description="The database is that of INVENTORY_DATABASE_URL, where it is set. Exit status: 0; 1 where nothing "
        "was found; 3 where a place that was asked has not told all, the others being shown.",
    )
    trace.add_argument("request_id", type=_request_id, metavar="REQUEST_ID", help="of X-Request-ID, or an error's body")
    trace.add_argument("--logs", action="append", default=[], metavar="FILE", help="of JSON lines; - is stdin")
    trace.add_argument("--loki", type=_store, metavar="URL")
    trace.add_argument("--loki-selector", metavar="SELECTOR", help='default {service_name="inventory-api"}')
    trace.add_argument("--jaeger", type=_store, metavar="URL")
    trace.add_argument("--tempo", type=_store, metavar="URL")
    trace.add_argument("--spans", action="append", default=[], metavar="FILE", help="of OTLP as JSON lines")
    trace.add_argument("--hours", type=_positive, default=24.0, help="that stores are searched (default 24)")
    trace.add_argument("--timeout", type=_positive, default=10.0, help="seconds for each place (default 10)")
    trace.add_argument("--json", action="store_true")
    trace.set_defaults(run=_trace)

    dev = commands.add_parser(
        "dev", help="everything on this machine: PostgreSQL, Redis, migrations, demo data, API, queue worker"
    )
    dev.add_argument("--port", type=_port, default=8000)
    dev.add_argument("--management-port", type=_port, default=9000)
    dev.add_argument("--data-dir", help="where the data is kept (default .data; as root perhaps another, printed)")
    dev.add_argument("--api-key", help="a key with every scope (default: generated once, and kept)")
    dev.add_argument("--workers", type=int, default=1, help="server workers")
    dev.add_argument("--no-demo-data", action="store_true")
    dev.add_argument("--database-url", help="use this PostgreSQL instead of an embedded one")
    dev.add_argument("--redis-url", help="use this Redis instead of an embedded one")
    dev.set_defaults(run=_dev)
    return parser


if __name__ == "__main__":
    sys.exit(main())
