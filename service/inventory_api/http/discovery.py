"""Which resources there are: every folder of the package that has a `routes.py`."""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from fastapi import APIRouter

import inventory_api


def resource_routers() -> list[APIRouter]:
    """The `router` of each, by the names of their folders."""
    packages = (module.name for module in iter_modules(inventory_api.__path__, "inventory_api.") if module.ispkg)
    modules = (f"{package}.routes" for package in sorted(packages))
    return [import_module(module).router for module in modules if find_spec(module)]
