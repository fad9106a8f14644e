"""What bytes are, by libmagic."""

import threading

try:
    import magic
except ImportError:
    try:
        import pylibmagic  # noqa: F401 -- it brings libmagic where the system has none
    except ImportError:
        raise ImportError("libmagic is missing; Debian's package is libmagic1, Homebrew's libmagic") from None
    import magic

# Of the beginning; what is further in tells nothing more of the types that are taken.
HEAD_BYTES = 8_192


class Detector:
    """One at a time: libmagic's state is not for several threads."""

    def __init__(self) -> None:
        self._magic: magic.Magic | None = None
        self._lock = threading.Lock()

    def detect(self, head: bytes) -> str:
        """The media type of what begins with these bytes, `HEAD_BYTES` of them where there are so many. Blocks."""
        with self._lock:
            # Its database takes some milliseconds and megabytes, and many a process never needs it.
            if self._magic is None:
                self._magic = magic.Magic(mime=True)
            return str(self._magic.from_buffer(head))
