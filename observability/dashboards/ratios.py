"""What several dashboards divide in the same way."""


def share(part: str, whole: str) -> str:
    """How much of the whole fails; nothing without any of it.

    A process that begins in an outage tells its first failures by a series that was 0, and its first requests by one
    that was not there: not more than all of them.
    """
    return f"clamp_max({part} / ({whole} > 0), 1)"
