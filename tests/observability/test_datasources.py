"""Grafana's data sources: what leads from one to another leads to one that is there. No Grafana reads them here."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.process import REPOSITORY

FILE = REPOSITORY / "observability" / "grafana" / "provisioning" / "datasources" / "inventory-api.yaml"
SOURCES = {source["uid"]: source for source in yaml.safe_load(FILE.read_text())["datasources"]}
# Whichever of the two has the traces is told by the environment.
EITHER = "$TRACES_UID"


def values(of: Any, name: str) -> Iterator[Any]:
    """Of every member of this name, however deep."""
    if isinstance(of, list):
        for one in of:
            yield from values(one, name)
    if isinstance(of, dict):
        for key, value in of.items():
            if key == name:
                yield value
            yield from values(value, name)


def test_their_uids_are_those_that_dashboards_and_links_name() -> None:
    assert {*SOURCES} >= {"prometheus", "loki", "tempo", "jaeger"}
    assert all(source["type"] == uid for uid, source in SOURCES.items())


def test_a_link_leads_to_one_that_is_there() -> None:
    assert {*values([*SOURCES.values()], "datasourceUid")} <= {*SOURCES, EITHER}


def test_an_exemplar_a_line_and_a_span_lead_on_by_the_trace_id() -> None:
    (exemplar,) = SOURCES["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert (exemplar["name"], exemplar["datasourceUid"]) == ("trace_id", EITHER)
    (field,) = SOURCES["loki"]["jsonData"]["derivedFields"]
    assert (field["matcherType"], field["matcherRegex"], field["datasourceUid"]) == ("label", "trace_id", EITHER)
    for uid in ("tempo", "jaeger"):
        logs = SOURCES[uid]["jsonData"]["tracesToLogsV2"]
        assert (logs["datasourceUid"], logs["filterByTraceID"]) == ("loki", True)


def test_what_grafana_is_to_fill_in_itself_is_not_taken_for_a_setting() -> None:
    """`$NAME` is of the environment, and `$$` is what Grafana sees as `$`."""
    named = re.findall(r"(?<!\$)\$(?!\$)\{?(\w+)", FILE.read_text())
    assert {*named} == {"TRACES_UID", "PROMETHEUS_URL", "ALERTMANAGER_URL", "LOKI_URL", "TEMPO_URL", "JAEGER_URL"}
