"""Grafana's dashboards, as data. Each is built by a module of its own; what they share is in `board` and `panels`."""

import json
from collections.abc import Iterator

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from . import data, releases, requests, saturation, slo, telemetry

__all__ = ["rendered"]


def rendered() -> Iterator[tuple[str, str]]:
    """The name of each, and its JSON."""
    for module in (slo, requests, saturation, data, releases, telemetry):
        board = module.board()
        yield board.name, json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
