"""inventory-api: an inventory, orders and attachments service that is ready for Kubernetes."""

from importlib.metadata import version

__version__ = version("inventory-api")
