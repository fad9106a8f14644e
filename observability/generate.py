"""`make observability`: writes what is made from the catalogue of metrics."""

from collections.abc import Iterator
from pathlib import Path

from inventory_api.telemetry.metrics import CATALOGUE

from . import reference

REPOSITORY = Path(__file__).parents[1]


def generated() -> Iterator[tuple[Path, str]]:
    """Every file that is made, with its text."""
    yield REPOSITORY / "docs" / "metrics.md", reference.page(CATALOGUE)


def main() -> None:
    for path, text in generated():
        is_same = path.exists() and path.read_text() == text
        path.write_text(text)
        print(f"{path.relative_to(REPOSITORY)}: {'as it was' if is_same else 'changed'}")


if __name__ == "__main__":
    main()
