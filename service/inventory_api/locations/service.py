"""What can be done with a location. Every change is one transaction with its audit row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inventory_api import audit
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.errors import Conflict, NotFound
from inventory_api.http.conditional import Conditions
from inventory_api.locations import queries
from inventory_api.locations.model import Location


def resource(code: str) -> str:
    """The name of a location in the audit."""
    return f"location:{code}"


async def get_location(session: Session, code: str) -> Location:
    """
    Raises:
        NotFound: there is no location with this code.
    """
    return _found(await queries.get(session, code))


async def page(session: Session, after: tuple[datetime | None, str | None], limit: int) -> list[Location]:
    """At most `limit` locations that come after the position `after`, newest first."""
    return await queries.page(session, after, limit)


@in_transaction
async def create_location(session: Session, fields: Mapping[str, Any], provenance: Provenance) -> Location:
    """
    Raises:
        Conflict: there is a location with this code.
    """
    location = await queries.insert(session, fields)
    if location is None:
        raise Conflict("There is a location with this code.")
    await audit.record(
        session, "create", {resource(location.code): audit.difference({}, location.fields())}, provenance
    )
    return location


@in_transaction
async def patch_location(
    session: Session, code: str, changes: Mapping[str, Any], conditions: Conditions, provenance: Provenance
) -> Location:
    """Change only the given fields.

    Raises:
        NotFound: there is no location with this code.
        PreconditionFailed: it is not in the state that the request requires.
    """
    location = _found(await queries.lock(session, code))
    conditions.check(location.etag)
    fields = {**location.fields(), **changes}
    if not (difference := audit.difference(location.fields(), fields)):
        return location
    await audit.record(session, "patch", {resource(code): difference}, provenance)
    return _found(await queries.update(session, code, fields))


def _found(location: Location | None) -> Location:
    if location is None:
        raise NotFound("There is no location with this code.")
    return location
