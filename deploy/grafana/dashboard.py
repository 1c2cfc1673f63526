"""The dashboard as Grafana reads it (schema 39, Grafana 10 and later)."""

import json
from collections.abc import Iterator
from typing import Any, Final

from deploy.grafana.panels import ROWS, Panel, Query

UID: Final = "privysharing"
SCHEMA: Final = 39
COLUMNS: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


def dashboard() -> str:
    """JSON, as it is provisioned."""
    document = {
        "uid": UID,
        "title": "PrivySharing: a network's health",
        "tags": ["privysharing"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
                _variable("network", 'label_values(up{job="privysharing"}, network)', many=False),
                _variable("channel", 'label_values(ledger_blockchain_height{network="$network"}, channel)', many=True),
                _variable("node", 'label_values(up{job="privysharing",network="$network"}, instance)', many=True),
            ]
        },
        "panels": list(_panels()),
    }
    return json.dumps(document, indent=2) + "\n"


def _variable(name: str, query: str, *, many: bool) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # whenever the time changes
        "sort": 1,
        "multi": many,
        "includeAll": many,
        **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if many else {}),
    }


def _panels() -> Iterator[dict[str, Any]]:
    """Row by row, from left to right."""
    number, y = 0, 0
    for row in ROWS:
        number += 1
        yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": _place(0, y, COLUMNS, 1)}
        y += 1
        x = 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + row.height
            number += 1
            yield _panel(number, panel, _place(x, y, panel.width, row.height))
            x += panel.width
        y += row.height


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.steps:
        steps = [{"value": value, "color": colour} for value, colour in panel.steps]
        defaults |= {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.mappings:
        options = {value: {"text": text, "color": colour} for value, text, colour in panel.mappings}
        defaults["mappings"] = [{"type": "value", "options": options}]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "gridPos": place,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [_target(place, query) for place, query in enumerate(panel.queries)],
    }


def _target(place: int, query: Query) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + place),
        "datasource": _SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
    }
