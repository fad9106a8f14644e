"""`make observability`: writes what is made from the catalogue of metrics, and what the chart has of observability."""

from collections.abc import Iterator
from pathlib import Path

from inventory_api.telemetry.metrics import CATALOGUE

from . import dashboards, reference, rules, runbooks

REPOSITORY = Path(__file__).parents[1]
CHART = REPOSITORY / "helm" / "inventory-api"
RUNBOOKS = REPOSITORY / "docs" / "runbooks" / "README.md"
HEADER = "# Made by `make observability` from observability/rules; do not edit.\n"


def generated() -> Iterator[tuple[Path, str]]:
    """Every file that is made, with its text."""
    yield REPOSITORY / "docs" / "metrics.md", reference.page(CATALOGUE)
    yield CHART / "files" / "rules.yaml", HEADER + rules.render(rules.PLACEHOLDERS)
    alerts = rules.alerts(rules.PLACEHOLDERS)
    yield RUNBOOKS, runbooks.index(RUNBOOKS.read_text(), alerts)
    for name, text in dashboards.rendered():
        yield CHART / "files" / "dashboards" / f"{name}.json", text


def main() -> None:
    for path, text in generated():
        is_same = path.exists() and path.read_text() == text
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        print(f"{path.relative_to(REPOSITORY)}: {'as it was' if is_same else 'changed'}")


if __name__ == "__main__":
    main()
