"""docs/metrics.md: the catalogue of metrics, as a page. Pure."""

from collections.abc import Sequence

from inventory_api.telemetry.metrics import Metric

HEAD = """\
<!-- Made by `make observability` from service/inventory_api/telemetry/metrics.py; do not edit. -->
# Metrics

Every metric that the service exposes, and for each label all values that it can have. Each sample also has
`server_worker`, the slot of the server worker that it is of ([metrics](telemetry.md#metrics)), but for the `cgroup_*`
and `service_start_time_seconds`, which are the container's; a histogram has `_bucket`, `_sum` and `_count`. Beside
these there are the `process_*` and `python_gc_*` of the client library. A counter or a gauge whose labels are all
listed is there from the start, at 0.

| metric | type | unit | labels | |
|---|---|---|---|---|
"""


def page(catalogue: Sequence[Metric]) -> str:
    """The whole of it, in the catalogue's order."""
    return HEAD + "".join(f"{_row(metric)}\n" for metric in catalogue)


def _row(metric: Metric) -> str:
    labels = "<br>".join(f"`{name}`: {_values(values)}" for name, values in metric.labels.items())
    about = metric.help
    if metric.buckets:
        about += f" Buckets: {', '.join(f'{edge:g}' for edge in metric.buckets)}."
    return f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {about} |"


def _values(values: tuple[str, ...] | str) -> str:
    """Those that are listed; or in words, where the code's declarations list them."""
    if isinstance(values, str):
        return values
    return ", ".join(f"`{value}`" if value else "empty" for value in values)
