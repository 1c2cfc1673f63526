"""A real Prometheus watches a real network: everything it is to ask for is there, and what goes wrong is told."""

import asyncio
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import FILE as DASHBOARD
from deploy.grafana.panels import BROKERS
from deploy.prometheus.scraping import ALERTS, JOB
from deploy.prometheus.server import Prometheus
from privysharing.contract.critical import CRITICAL
from privysharing.contract.private_readings import TRANSIENT
from privysharing.protocol.codes import Status, TxCode
from tests.e2e.test_operations import ask
from tests.support import foreign_client as foreign
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork, privy
from tests.support.promql import OF_ITS_OWN, choices_in, metrics_in, query, rules

PATIENT = "PATIENT_ALERTS" in os.environ  # alerts wait as long as they are shipped to wait, and so do we
SEEING_SECONDS_MAX = 240.0 if PATIENT else 40.0
OF_TROUBLE = "Firing and pending"  # a panel that shows something only while something is wrong
OF_TROUBLED_CALLS = {each.name for kind in (Status, TxCode) for each in kind} | {
    "Internal"
}  # which may not have happened
OF_TARGETS = {"network": {"demo"}, "instance": set(), "role": {"orderer", "peer"}, "job": {JOB}}  # what Prometheus adds


def panels() -> dict[str, dict[str, set[str]]]:
    """Each panel's expressions, for all of a network without brokers, and the labels that their legends name."""
    chosen = {"$__rate_interval": "30s", "$network": "demo", "$channel": ".*", "$node": ".*"}

    def asked(expr: str) -> str:
        for variable, value in chosen.items():
            expr = expr.replace(variable, value)
        return expr

    document = json.loads(DASHBOARD.read_text())
    return {
        panel["title"]: {
            asked(target["expr"]): set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            for target in panel["targets"]
        }
        for panel in document["panels"]
        if panel["type"] != "row" and panel["title"] not in {each.title for each in BROKERS.panels}
    }


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def prometheus(demo: LiveNetwork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address. It asks often; and unless we are patient, its alerts wait for a second instead of minutes."""
    hasty = tmp_path_factory.mktemp("rules") / "alerts.yml"
    hasty.write_text(re.sub(r"for: \d+m", "for: 1s", ALERTS.read_text()))
    server = Prometheus.make(demo.network, ALERTS if PATIENT else hasty, interval_s=0.5)
    server.start()
    yield server.address
    server.stop()
    shutil.rmtree(server.folder)


def visit(demo: LiveNetwork) -> None:
    """A transaction, one with private data, and a single call."""

    async def transact() -> None:
        name = secrets.token_hex(8)
        async with demo.people("alice") as (alice,):
            await alice.does("CreateAsset", "blood_alcohol", name, "private")
            transient = {TRANSIENT: alice.contract.salted({"value": 0.1, "unit": "per mille"})}
            asset = f"{alice.party}/{name}"
            await alice.contract.submit("AddPrivateReadings", asset, transient=transient, collections=(CRITICAL,))

    asyncio.run(transact())
    alice = demo.signer("alice")
    with demo.dial(demo.peers[0]) as channel:
        foreign.ask(channel, foreign.signed_proposal(foreign.propose(alice, CHANNEL, CONTRACT, "GetProfile"), alice))


def firing(prometheus: str) -> list[tuple[str, str]]:
    """Which alerts, about which nodes."""
    found = query(prometheus, 'ALERTS{alertstate="firing"}')
    return [(labels["alertname"], labels.get("instance", "")) for labels, _ in found]


def until(condition: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> bool:
    deadline = time.monotonic() + SEEING_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            return False
        meanwhile()
        time.sleep(0.1)
    return True


def test_a_network_may_be_started_with_a_prometheus_and_says_where_it_is(demo: LiveNetwork) -> None:
    folder = demo.network.folder
    up = privy("network", "up", "--watch", "--json", "--network", folder)
    server = Prometheus.load(demo.network)
    assert server is not None
    try:
        assert json.loads(up.stdout)["prometheus"] == server.address, up.stderr
        assert f"Prometheus is on http://{server.address}" in privy("network", "status", "--network", folder).stderr
        assert {rule["name"] for rule in rules(server.address)} == {rule["alert"] for rule in alerts()}
    finally:
        server.stop()
        shutil.rmtree(server.folder)
    assert "Prometheus" not in privy("network", "status", "--network", folder).stderr


def test_every_metric_of_every_alert_and_panel_is_one_that_nodes_have(demo: LiveNetwork) -> None:
    visit(demo)
    there: dict[str, dict[str, set[str]]] = {}  # metrics, and what their labels say
    for node in demo.network.nodes:
        for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", ask(node, "/metrics")[1], re.MULTILINE):
            metric = there.setdefault(name, {})
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
                metric.setdefault(label, set()).add(value)
    asked = [rule["expr"] for rule in alerts()] + list(chain(*panels().values()))
    wanted = {name for expr in asked for name in metrics_in(expr)}
    assert len(wanted) > 40
    of_brokers = {name for panel in BROKERS.panels for each in panel.queries for name in metrics_in(each.expr)}
    assert wanted - there.keys() - OF_ITS_OWN == wanted & of_brokers
    chosen = [choice for expr in asked for choice in choices_in(expr) if choice[0] in there]
    assert len(chosen) > 100
    for metric, label, values in chosen:
        known = there[metric].get(label, OF_TARGETS.get(label))
        assert known is not None, (metric, label)
        assert values <= known | OF_TROUBLED_CALLS, (metric, label)


def test_every_rule_can_be_judged_and_nothing_is_wrong_with_a_network_that_is_well(
    demo: LiveNetwork, prometheus: str
) -> None:
    assert until(lambda: len(query(prometheus, 'up{job="privysharing"} == 1')) == len(demo.network.nodes))
    assert until(lambda: all(rule["health"] == "ok" for rule in rules(prometheus)))
    assert until(lambda: firing(prometheus) == []), firing(prometheus)


def test_every_panel_shows_something_while_the_network_is_used(demo: LiveNetwork, prometheus: str) -> None:
    empty = panels()
    del empty[OF_TROUBLE]

    def all_show() -> bool:
        for title, exprs in panels().items():
            shown = [[labels for labels, value in query(prometheus, expr) if not math.isnan(value)] for expr in exprs]
            if all(shown):
                empty.pop(title, None)
            if title != OF_TROUBLE:
                for named, found in zip(exprs.values(), shown, strict=True):
                    assert all(named <= labels.keys() for labels in found), title
        return not empty

    assert until(all_show, lambda: visit(demo)), empty


def test_a_stopped_peer_raises_its_alert_and_nothing_is_left_of_it_when_it_serves_again(
    demo: LiveNetwork, prometheus: str
) -> None:
    stopped = demo.peers[-1].name
    with demo.stopped([stopped]):
        assert until(lambda: firing(prometheus) == [("NodeDown", stopped)]), firing(prometheus)
        (told,) = [rule["alerts"] for rule in rules(prometheus) if rule["name"] == "NodeDown"]
        assert [alert["annotations"]["summary"] for alert in told] == [f"{stopped} does not answer"]
        assert all(query(prometheus, expr) for expr in panels()[OF_TROUBLE])
    assert until(lambda: firing(prometheus) == []), firing(prometheus)
