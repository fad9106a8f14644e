"""What is set for webhooks, for whoever takes endpoints and whoever sends to them."""

from dataclasses import dataclass, field

from inventory_api.webhooks.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Rules:
    """`admit_loopback`: endpoints may be on this machine, and by http."""

    admit_loopback: bool = False
    schedule: Schedule = field(default_factory=Schedule)
