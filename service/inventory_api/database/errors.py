"""Tells a database that is not available from a statement that is wrong."""

import asyncpg

# SQLSTATE classes and codes that say that the server or the way to it is at fault: connection, resources, operator
# intervention (a time-out of the server's included), a standby that takes no writes, a database, role or table that is
# not there yet.
UNAVAILABLE_CLASSES = ("08", "53", "57")
READ_ONLY = "25006"
UNAVAILABLE_CODES = (READ_ONLY, "3D000", "28P01", "28000", "42P01")
CONNECTION_ENDED = ("08", "57P")
LOCK_NOT_AVAILABLE = "55P03"
# All that asyncpg raises: of the server, or of a connection that cannot be made or used.
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


def error_type(error: BaseException) -> str:
    """The value of the `error_type` label: the SQLSTATE's class, or `timeout`, or `connection`, or `client`."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "")[:2] or "connection"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "connection" if isinstance(error, OSError | asyncpg.InterfaceError) else "client"


def is_unavailable(error: BaseException) -> bool:
    """Whether a later try could succeed without a change of the request or of this code."""
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate or "08")
        return state[:2] in UNAVAILABLE_CLASSES or state in UNAVAILABLE_CODES
    return isinstance(error, FAILURES) and not isinstance(error, asyncpg.ClientConfigurationError)


def is_refusal(error: BaseException) -> bool:
    """Whether the server said that it did not do it; a connection that ended says nothing of what was sent on it."""
    state = str(error.sqlstate or "") if isinstance(error, asyncpg.PostgresError) else ""
    return bool(state) and not state.startswith(CONNECTION_ENDED)


def is_contended(error: BaseException) -> bool:
    """Whether another transaction held what this one wanted for the whole of `lock_timeout`."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate == LOCK_NOT_AVAILABLE


def is_read_only(error: BaseException) -> bool:
    """Whether the server takes no writes: after a failover, one that was the primary when the connection was made."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate == READ_ONLY
