"""docs/alerts.md: which alerts were seen, by what, and how soon; written by the run itself."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from observability.rules import Alert

from .cases import CASES, RECEIVERS
from .watching import DIVIDE, SLO_DIVIDE

PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"
HEAD = """\
<!-- Written by `make drill-alerts ARGS=--write`; do not edit. -->
# Alerts, as they were seen

`make drill-alerts` runs the service, with two server workers, a queue worker, partners and clients, beside a real
Prometheus and a real Alertmanager, does to it what is in the table, and waits until each alert is inactive, pending,
firing, received, over, and told to be over. The rules are those of the chart with every window, `for` and age divided
by {divide}: an hour is a minute; of the burns of objectives, by {slo_divide}. Thresholds are as they are. Scrapes and
evaluations are a second apart; for `NoTraffic` a day is a minute, for `LedgerUnchecked` two days are 40 s. What each
means, and what to do: [runbooks](runbooks/README.md).

**{count} alerts, each window of a burn being one; {fired} fired and were received, {ended} ended and were told to have
ended**, but for the watchdog, which must not. Seconds are from the fault, and for the last column from its end; times
{divide}, of burns {slo_divide}, they are about what the real windows take.

| alert | fault | pending | firing | received by | ended |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Row:
    """Of one alert; seconds, or nothing where there is no such state."""

    key: str
    about: str
    receiver: str
    pending: float | None = None
    firing: float | None = None
    ended: float | None = None

    @classmethod
    def of(cls, alert: Alert, key: str, about: str, seen: Mapping[str, float], since: float, ended: float) -> "Row":
        """`seen`: when it was first in which state; `ended`: seconds after the fault, or 0 where it was before."""
        pending = seen["pending"] - since if "pending" in seen else None
        return cls(key, about, RECEIVERS[alert.severity], pending, seen["firing"] - since, max(ended, 0.0))


def write(rows: Sequence[Row], failed: Collection[str]) -> None:
    """Of alerts that this run did not drill, the page keeps what it has; of what failed, and of others, nothing."""
    kept = {key: line for key, line in _kept().items() if key not in failed}
    lines = kept | {row.key: _line(row) for row in rows if row.key not in failed}
    order = [key for case in CASES for key in case.alerts] + ["Watchdog"]
    seen = [lines[key] for key in order if key in lines]
    ended = sum(not line.endswith("| never |") for line in seen)
    head = HEAD.format(divide=DIVIDE, slo_divide=SLO_DIVIDE, count=len(order), fired=len(seen), ended=ended)
    PAGE.write_text(head + "".join(f"{line}\n" for line in seen))


def _kept() -> dict[str, str]:
    lines = PAGE.read_text().splitlines() if PAGE.exists() else []
    rows = [line for line in lines if line.startswith("| ")][1:]
    return {line.split("|")[1].strip(): line for line in rows}


def _line(row: Row) -> str:
    times = [f"{value:.0f}" if value is not None else "" for value in (row.pending, row.firing)]
    ended = f"{row.ended:.0f}" if row.ended is not None else "never"
    return f"| {' | '.join([row.key, row.about, *times, row.receiver, ended])} |"
