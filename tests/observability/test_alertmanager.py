"""The example of Alertmanager's configuration sends each alert where its severity says, by Alertmanager's own tool."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from observability.rules import Alert, Options

from observability import rules

CONFIGURATION = Path(__file__).parents[2] / "observability" / "alertmanager.yml"
RECEIVERS = {"critical": "page", "warning": "ticket", "info": "chat", "none": "heartbeat"}
ALERTS = rules.alerts(Options("shop", "inventory"))


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not on PATH; it comes with Alertmanager")
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: "-".join([alert.name, *alert.labels.values()]))
def test_an_alert_goes_where_its_severity_says(alert: Alert) -> None:
    labels = {"alertname": f"{rules.PREFIX}{alert.name}", "severity": alert.severity, **alert.labels}
    command = ["amtool", "config", "routes", "test", f"--config.file={CONFIGURATION}"]
    given = [f"{name}={value}" for name, value in labels.items()]
    said = subprocess.run([*command, *given], capture_output=True, text=True, check=True).stdout
    assert said.split() == [RECEIVERS[alert.severity]]


def test_what_silences_and_what_is_silenced_are_alerts_that_there_are() -> None:
    names = {f"{rules.PREFIX}{alert.name}" for alert in ALERTS}
    matchers = [
        matcher.split("=", 1)[1].strip('"')
        for rule in yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
        if matcher.startswith("alertname=") and not matcher.startswith("alertname=~")
    ]
    assert set(matchers) <= names
