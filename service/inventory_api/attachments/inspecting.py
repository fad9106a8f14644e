"""Looks into contents, off the event loop."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from inventory_api.attachments.content import ClosableContent
from inventory_api.attachments.detecting import Detector
from inventory_api.attachments.inspection import inspect
from inventory_api.threads import in_thread_of


class Inspector:
    """In threads of its own. One that reads a storage waits for the threads that all share, which could else all be
    held by those that wait for them.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="inspector")
        self._detector = Detector()

    async def detect(self, head: bytes) -> str:
        """The media type of what begins with these bytes, see `Detector.detect`."""
        return await in_thread_of(self._threads, partial(self._detector.detect, head))

    async def inspect(self, media_type: str, content: ClosableContent) -> None:
        """As `inspection.inspect`; cancelled, it closes the content, and so comes to its end.

        Raises:
            ContentMismatch: see there.
        """
        await in_thread_of(self._threads, partial(inspect, media_type, content), content.close)

    async def close(self) -> None:
        """Its threads end with what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)
