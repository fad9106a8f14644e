"""Work that blocks, in a thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What the work gives, in one of the threads that all share; see `in_thread_of`."""
    return await in_thread_of(None, partial(work, *arguments, **named))


async def in_thread_of(threads: Executor | None, work: Callable[[], T], hasten: Callable[[], None] | None = None) -> T:
    """What the work gives.

    No thread can be stopped: whoever is cancelled waits for it, so that nothing goes on behind him, with a file that he
    has closed. `hasten` is called then, and is to bring it to its end.
    """
    step = asyncio.get_running_loop().run_in_executor(threads, copy_context().run, work)
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        if hasten is not None:
            hasten()
        await asyncio.wait([step])
        if not step.cancelled():
            step.exception()
        raise
