"""What the pages say of numbers of alerts and panels is what there is."""

import json
import re

from observability import rules
from tests.alerting import table
from tests.support.process import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
PAGE = (REPOSITORY / "docs" / "dashboards.md").read_text()
BOARDS = REPOSITORY / "helm" / "inventory-api" / "files" / "dashboards"
ALERTS = {
    " ".join([alert.name, *filter(None, [alert.labels.get("window")])])
    for alert in rules.alerts(rules.Options("shop", "inventory"))
}


def panels(board: str) -> int:
    """Those of a dashboard that show something, and not its rows."""
    found = json.loads((BOARDS / f"{board}.json").read_text())["panels"]
    return sum(panel["type"] != "row" for panel in found)


def test_the_table_of_alerts_has_each_that_there_is() -> None:
    text = table.PAGE.read_text()
    assert set(re.findall(r"^\| (\w+(?: \d+\w)?) \|", text, re.MULTILINE)) - {"alert"} == ALERTS
    assert f"**{len(ALERTS)} alerts" in text
    assert f"Each of {len(ALERTS)} alerts fired" in README


def test_the_table_of_panels_has_as_many_as_there_are() -> None:
    told = {name: int(count) for name, count in re.findall(r"^  inventory-api-(\w+) +(\d+) ", PAGE, re.MULTILINE)}
    assert told == {path.stem: panels(path.stem) for path in BOARDS.glob("*.json")}
    assert f"All {sum(told.values())} panels have data" in README
