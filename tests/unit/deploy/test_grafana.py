"""The dashboard is what its panels say, and Grafana finds it by the files that are provisioned."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from deploy.grafana.__main__ import FILE
from deploy.grafana.dashboard import COLUMNS, dashboard

FOLDER = FILE.parents[1]
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())
PANELS = DOCUMENT["panels"]


def test_the_committed_file_is_what_would_be_written() -> None:
    assert FILE.read_text() == dashboard(), "write it with: python -m deploy.grafana"


def test_panels_have_numbers_of_their_own_and_places_of_their_own() -> None:
    assert [panel["id"] for panel in PANELS] == list(range(1, len(PANELS) + 1))
    taken = [
        (x, y)
        for panel in PANELS
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < COLUMNS
    assert all(one["gridPos"]["y"] <= other["gridPos"]["y"] for one, other in pairwise(PANELS))


def test_every_panel_says_what_it_shows_and_asks_the_chosen_prometheus() -> None:
    asking = [panel for panel in PANELS if panel["type"] != "row"]
    source = {"type": "prometheus", "uid": "${source}"}
    for panel in asking:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == source
        assert [target["refId"] for target in panel["targets"]] == [*"ABCDEF"][: len(panel["targets"])]
        assert all(target["datasource"] == source and target["expr"] for target in panel["targets"])


def test_every_variable_that_a_panel_names_is_there_to_choose() -> None:
    known = {variable["name"] for variable in DOCUMENT["templating"]["list"]}
    asked = json.dumps(PANELS)
    assert known == {"source", "network", "channel", "node"}
    assert all(f"${name}" in asked or f"${{{name}}}" in asked for name in known)


def test_grafana_is_told_where_prometheus_and_the_dashboard_are() -> None:
    provisioning = FOLDER / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "privysharing.yaml").read_text())["providers"]
    assert (source["type"], source["url"]) == ("prometheus", "$PROMETHEUS_URL")
    assert (provider["type"], provider["options"]) == ("file", {"path": "$DASHBOARDS"})
    assert [path.name for path in Path(FOLDER / "dashboards").iterdir()] == [FILE.name]
