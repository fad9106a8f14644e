"""Whether the storage answers."""

from inventory_api.storage.model import Storage


class StorageCheck:
    """Asks the storage that requests use. It is not its to close."""

    name = "storage"

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def run(self) -> None:
        await self._storage.check()

    async def close(self) -> None:
        """Nothing was opened."""
