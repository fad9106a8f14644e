"""Makes the storage that an address names."""

from inventory_api.storage.address import Address, FileAddress
from inventory_api.storage.files import FileStorage
from inventory_api.storage.model import Storage


def create(address: Address, transfers: int) -> Storage:
    """It is to be opened yet. `transfers`: so many contents are on their way at once."""
    if isinstance(address, FileAddress):
        return FileStorage(address.directory)
    # Only here: the client of S3 takes 30 MB of memory.
    from inventory_api.storage.s3 import S3Storage  # noqa: PLC0415

    return S3Storage(address.bucket, address.prefix, transfers=transfers)
