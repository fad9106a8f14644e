"""The page of metrics, and whether what was made is what would be made now."""

from pathlib import Path

import pytest

from inventory_api.telemetry.metrics import CATALOGUE, Metric, Metrics
from observability import generate, reference


@pytest.mark.parametrize(("path", "text"), [pytest.param(*made, id=made[0].name) for made in generate.generated()])
def test_nobody_has_forgotten_make_observability(path: Path, text: str) -> None:
    assert path.read_text() == text, "run `make observability`"


def test_a_metric_is_told_with_all_that_its_labels_can_be() -> None:
    listed = Metric("tries_total", "counter", "tries", "Tries.", {"result": ("", "done"), "route": "the routes"})
    assert reference.page([listed]).splitlines()[-1] == (
        "| `tries_total` | counter | tries | `result`: empty, `done`<br>`route`: the routes | Tries. |"
    )


def test_a_histogram_is_told_with_its_edges() -> None:
    measured = Metric("wait_seconds", "histogram", "seconds", "The wait.", buckets=(0.5, 1))
    assert reference.page([measured]).splitlines()[-1].endswith("| The wait. Buckets: 0.5, 1. |")


def test_the_page_has_every_metric_that_is_exposed() -> None:
    """But for those of the client library and for what is added where the server workers' are gathered."""
    exposed = {family.name + "_total" * (family.type == "counter") for family in Metrics().registry.collect()}
    page = reference.page(CATALOGUE)
    missing = {
        name for name in exposed if not name.startswith(("process_", "python_gc_")) and f"| `{name}` |" not in page
    }
    assert missing == set()
