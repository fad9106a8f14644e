"""`app` for a server that is given a module: `uvicorn inventory_api.asgi:app --host 0.0.0.0 --port 8000`.

Alone in having effects on import. The management port is opened beside it.
"""

from inventory_api import settings as settings_module
from inventory_api.app import create_app
from inventory_api.telemetry import logging as json_logging

_settings = settings_module.load()
json_logging.configure(_settings.log_level)
app = create_app(_settings, one_port=True)
