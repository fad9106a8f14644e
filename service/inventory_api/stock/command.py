"""`inventory-api verify-ledger`."""

import logging
from collections.abc import Callable

from inventory_api.database.errors import FAILURES
from inventory_api.stock import ledger

logger = logging.getLogger(__name__)

UNREADABLE = 3


async def verify_ledger(dsn: Callable[[], str]) -> int:
    """Log each level that differs from its movements.

    The exit status is 0 where none does, 1 where some do, and 3 where the ledger cannot be read.
    """
    try:
        found = await ledger.mismatches(dsn())
    except FAILURES as error:
        logger.error("the ledger cannot be read: %s", str(error) or type(error).__name__)
        return UNREADABLE
    logger.info("levels that differ from the ledger: %d", len(found))
    return 1 if found else 0
