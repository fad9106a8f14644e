"""What the settings say of attachments."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Rules:
    """`most_bytes` of a file that is uploaded through the service; how long a signed URL is good for, in seconds.

    `redirects`: contents are fetched from the storage itself. What is received is kept in `directory` meanwhile.
    """

    most_bytes: int
    upload_seconds: int
    download_seconds: int
    redirects: bool
    directory: Path | None
