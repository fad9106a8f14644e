"""What can be done with an item. Every change is one transaction with its movement and its audit row."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from inventory_api import audit, events
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.errors import NotFound, PreconditionRequired
from inventory_api.http.conditional import Conditions
from inventory_api.inventory import queries
from inventory_api.inventory.attributes import merge_patch, require_bounds
from inventory_api.inventory.listing import Filters
from inventory_api.inventory.model import Item, resource
from inventory_api.stock import service as stock
from inventory_api.stock.model import Movement


async def get_item(session: Session, sku: str) -> Item:
    """The item with its levels.

    Raises:
        NotFound: there is no item with this sku.
    """
    return _found(await queries.get_item(session, sku))


async def page(session: Session, filters: Filters, after: Sequence[str | None], limit: int) -> list[Item]:
    """At most `limit` items that come after the position `after`, in the order of their skus."""
    return await queries.page(session, filters, after, limit)


@in_transaction
async def put_item(
    session: Session, sku: str, fields: Mapping[str, Any], conditions: Conditions, provenance: Provenance
) -> tuple[Item, bool]:
    """Create the item, or replace all its fields; tells which of both (True: created).

    Raises:
        PreconditionRequired: the item exists, and the request is not conditional.
        PreconditionFailed: the item is not in the state that the request requires.
        UnknownLocation, InsufficientStock, StockBelowReserved, ValidationFailure: as the names say.
    """
    item = await _lock(session, sku)
    if item is None:
        conditions.check_absent()
        if await queries.insert_item(session, sku, fields):
            return await _created(session, sku, fields, provenance), True
        # Another request created it in between, and has committed.
        item = _found(await _lock(session, sku))
    conditions.check(item.etag)
    if not conditions.has_if_match:
        raise PreconditionRequired("To replace an item that exists, send its ETag as If-Match.")
    return await _change(session, item, fields, "replace", provenance), False


@in_transaction
async def patch_item(
    session: Session,
    sku: str,
    changes: Mapping[str, Any],
    *,
    merge: bool,
    conditions: Conditions,
    provenance: Provenance,
) -> Item:
    """Change only the given fields. With `merge`, `attributes` is patched by RFC 7396, else it is replaced.

    Raises:
        NotFound: there is no item with this sku.
        PreconditionRequired: the patch sets `quantity` without If-Match.
        PreconditionFailed: the item is not in the state that the request requires.
        UnknownLocation, InsufficientStock, StockBelowReserved, ValidationFailure: as the names say.
    """
    item = _found(await _lock(session, sku))
    conditions.check(item.etag)
    if "quantity" in changes and not conditions.has_if_match:
        raise PreconditionRequired("To set the quantity, send the item's ETag as If-Match.")
    fields = {**item.fields(), **changes}
    if "attributes" in changes:
        if merge:
            fields["attributes"] = merge_patch(item.attributes, changes["attributes"])
        require_bounds(fields["attributes"])
    return await _change(session, item, fields, "patch", provenance)


async def audit_page(
    session: Session, sku: str, after: tuple[datetime | None, UUID | None], limit: int
) -> list[audit.Entry]:
    """What happened to an item, newest first.

    Raises:
        NotFound: there is no item with this sku.
    """
    _found(await queries.get_item(session, sku))
    return await audit.page(session, audit.Filters(resource=resource(sku)), after, limit)


async def movements_page(
    session: Session, sku: str, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Movement]:
    """How the stock of an item came to be what it is, newest first.

    Raises:
        NotFound: there is no item with this sku.
    """
    _found(await queries.get_item(session, sku))
    return await stock.movements_page(session, sku, after, limit)


async def _created(session: Session, sku: str, fields: Mapping[str, Any], provenance: Provenance) -> Item:
    level = await stock.make_level(session, sku, fields["warehouse_location"])
    if fields["quantity"]:
        await stock.set_on_hand(session, sku, level, fields["quantity"], fields["low_stock_threshold"], provenance)
    await audit.record(session, "create", {resource(sku): audit.difference({}, fields)}, provenance)
    return await _told(session, await get_item(session, sku), provenance)


async def _change(session: Session, item: Item, fields: Mapping[str, Any], action: str, provenance: Provenance) -> Item:
    """Make the item what `fields` say. The location comes first: the quantity is then counted there."""
    changes = audit.difference(item.fields(), fields)
    if not changes:
        return item
    changed = await queries.update_item(session, item, fields)
    if delta := fields["quantity"] - item.quantity:
        changed = await _change_quantity(session, changed, delta, provenance)
    await audit.record(session, action, {resource(item.sku): changes}, provenance)
    return await _told(session, changed, provenance)


async def _told(session: Session, item: Item, provenance: Provenance) -> Item:
    await events.emit(session, "inventory.item.updated", item.updated_at, item.told(), provenance)
    return item


async def _change_quantity(session: Session, item: Item, delta: int, provenance: Provenance) -> Item:
    """Apply the difference at the item's location."""
    location = item.warehouse_location
    level = item.level_at(location) or await stock.make_level(session, item.sku, location)
    changed = await stock.set_on_hand(session, item.sku, level, delta, item.low_stock_threshold, provenance)
    return item.with_level(changed)


async def _lock(session: Session, sku: str) -> Item | None:
    """The item with its levels, all locked, the item first."""
    item = await queries.lock_item(session, sku)
    return replace(item, levels=await stock.lock_levels(session, sku)) if item is not None else None


def _found(item: Item | None) -> Item:
    if item is None:
        raise NotFound("There is no item with this sku.")
    return item
