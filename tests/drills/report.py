"""What a drill has counted, printed as tables, and what it claims of that."""

from collections.abc import Mapping, Sequence

from .outcomes import NOT_SENT, Outcomes

HEADINGS = (
    "phase",
    "sent",
    "2xx",
    "4xx",
    "503",
    "504",
    "5xx",
    "lost",
    "unsent",
    "p50",
    "p99",
    "max",
    "failures p50",
    "p99",
    "max",
)


class Report:
    """Collected while a drill runs; `verdict` prints it all, and fails where a claim does not hold."""

    def __init__(self, title: str, *, judges_times: bool = True) -> None:
        self._title = title
        self._judges_times = judges_times
        self._lines: list[str] = []
        self._broken: list[str] = []
        self.is_open = True

    def say(self, text: str) -> None:
        self._lines.append(f"  {text}")

    def load(self, phases: Mapping[str, Outcomes]) -> None:
        """A table of the outcomes of a load by phase, and what the failures were."""
        rows = [HEADINGS, *(_row(name, outcomes) for name, outcomes in phases.items())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        for row in rows:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            self.say("  ".join([row[0].ljust(widths[0]), *cells]))
        for name, outcomes in phases.items():
            if outcomes.failed:
                seen = ", ".join(f"{count} {label}" for label, count in outcomes.failed.labels().most_common())
                self.say(f"{name}: {seen}")

    def claim(self, text: str, holds: bool, seen: object = "") -> None:
        """Collected, so that a claim that does not hold hides no other; `seen` is the number behind it."""
        told = f"{text}: {seen}" if seen != "" else text
        self.say(f"{'holds' if holds else 'FAILS'}  {told}")
        if not holds:
            self._broken.append(told)

    def measure(self, text: str, holds: bool, seen: object) -> None:
        """A claim on time or speed: told only, where the machine may have other things to do (`--times told`)."""
        if self._judges_times or holds:
            self.claim(text, holds, seen)
        else:
            self.say(f"told   {text}: {seen}")

    def verdict(self) -> None:
        """Print, and fail where a claim does not hold."""
        self.show("as claimed" if not self._broken else "NOT as claimed")
        assert not self._broken, "; ".join(self._broken)

    def show(self, verdict: str) -> None:
        self.is_open = False
        print("\n".join(["", f"drill: {self._title}: {verdict}", *self._lines]), flush=True)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def spread(outcomes: Outcomes) -> str:
    times = outcomes.percentile(50), outcomes.percentile(99), outcomes.slowest
    return "p50 {}, p99 {}, slowest {}".format(*map(milliseconds, times))


def seen_in(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "none"


def _row(name: str, outcomes: Outcomes) -> tuple[str, ...]:
    statuses = [outcome.status for outcome in outcomes]
    unsent = sum(outcome.problem == NOT_SENT for outcome in outcomes)
    counts = (
        len(outcomes) - unsent,
        sum(200 <= status < 300 for status in statuses),
        sum(400 <= status < 500 for status in statuses),
        statuses.count(503),
        statuses.count(504),
        sum(status >= 500 and status not in {503, 504} for status in statuses),
        statuses.count(0) - unsent,
        unsent,
    )
    times = [
        milliseconds(seconds)
        for part in (outcomes.answered, outcomes.failed)
        for seconds in (part.percentile(50), part.percentile(99), part.slowest)
    ]
    return (name, *(str(count) for count in counts), *times)
