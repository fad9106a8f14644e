"""The chart's dashboards are those of observability/dashboards, in ConfigMaps that Grafana's sidecar finds."""

import json

from helm import yaml_text

from observability import dashboards

from .rendering import FULLNAME, Helm, Values

ON: Values = {"metrics": {"dashboards": {"enabled": True}}}
# Of an annotation, which is where `kubectl apply` keeps what it applied.
MOST_BYTES = 262_144


def test_each_dashboard_is_in_a_configmap_of_its_own_as_it_was_made(helm: Helm) -> None:
    made = dict(dashboards.rendered())
    found = {manifest["metadata"]["name"]: manifest["data"] for manifest in helm.template(ON).of("ConfigMap")}
    for name, text in made.items():
        assert found[f"{FULLNAME}-dashboard-{name}"] == {f"inventory-api-{name}.json": text}
    assert len([name for name in found if "-dashboard-" in name]) == len(made)


def test_a_dashboard_can_be_applied_by_kubectl(helm: Helm) -> None:
    for manifest in helm.template(ON).of("ConfigMap"):
        size = len(json.dumps(manifest).encode())
        assert size < MOST_BYTES, manifest["metadata"]["name"]


def test_the_sidecar_finds_them_by_the_labels_of_the_values(helm: Helm) -> None:
    values: Values = {
        "commonLabels": {"team": "stock"},
        "metrics": {
            "dashboards": {
                "enabled": True,
                "labels": {"dashboards": "main"},
                "annotations": {"grafana_folder": "Inventory"},
            }
        },
    }
    for manifest in helm.template(values).of("ConfigMap"):
        if "-dashboard-" in manifest["metadata"]["name"]:
            labels = manifest["metadata"]["labels"]
            assert labels.items() >= {"grafana_dashboard": "1", "dashboards": "main", "team": "stock"}.items()
            assert manifest["metadata"]["annotations"] == {"grafana_folder": "Inventory"}


def test_the_names_of_their_files_are_no_others(helm: Helm) -> None:
    """The sidecar writes all into one folder."""
    rendering = helm.template(ON)
    names = [name for manifest in rendering.of("ConfigMap") for name in manifest["data"]]
    assert len(names) == len(set(names))


def test_there_are_no_dashboards_without_being_asked_for(helm: Helm) -> None:
    assert "-dashboard-" not in yaml_text.dump(helm.template().objects)
