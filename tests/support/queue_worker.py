"""`inventory-api worker` as a process of its own."""

import json
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support.process import MODULE, Running, clean_environment, free_ports


class Worker(Running):
    """One process."""

    def __init__(self, directory: Path, url: str, **settings: object) -> None:
        (port,) = free_ports(1)
        values = {"INVENTORY_DATABASE_URL": url, "INVENTORY_HOST": "127.0.0.1", "INVENTORY_MANAGEMENT_PORT": port}
        values |= {name if name.startswith("OTEL_") else f"INVENTORY_{name.upper()}": v for name, v in settings.items()}
        super().__init__([*MODULE, "worker"], clean_environment(values), directory)
        self.management = f"http://127.0.0.1:{port}"

    def metric(self, name: str, **labels: str) -> float:
        text = httpx.get(f"{self.management}/metrics").text
        samples = [sample for family in parse_text(text) for sample in family.samples]
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())

    def says(self, path: str) -> int:
        try:
            return httpx.get(f"{self.management}/system/{path}").status_code
        except httpx.TransportError:
            return 0

    def events(self) -> list[str]:
        """The ids of those that it has told of; where it was killed, the last line may be cut."""
        lines = map(_parsed, self._stdout.read_text().splitlines())
        return [event for line in lines for event in line.get("event.ids", ())]


def told(worker: Worker) -> set[str]:
    """The ids of the events that it has told of."""
    return {*worker.events()}


def _parsed(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}
