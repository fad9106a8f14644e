"""Work on a disk: in threads, and with its errors in the words of `storage.model`."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from inventory_api.storage.model import StorageUnavailable
from inventory_api.threads import in_thread

P = ParamSpec("P")
T = TypeVar("T")

FULL = {errno.ENOSPC, errno.EDQUOT}


async def on_disk(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What the work gives, see `in_thread`.

    Raises:
        StorageUnavailable: it has failed by an `OSError`.
    """
    with _translated():
        return await in_thread(work, *arguments, **named)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailable("full" if error.errno in FULL else "unavailable") from error
