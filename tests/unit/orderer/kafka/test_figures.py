"""What an orderer tells of its brokers: all that the dashboard asks for."""

import asyncio
import re
from pathlib import Path

from deploy.grafana.panels import BROKERS
from deploy.kafka.cluster import Cluster
from tests.support import kafka as support
from tests.support.orderers_on_kafka import City, asked, on_existing, told
from tests.support.promql import metrics_in

FIGURES_SECONDS_MAX = 20.0


async def test_every_metric_that_the_dashboard_asks_of_brokers_is_there(kafka_cluster: Cluster, tmp_path: Path) -> None:
    topology = on_existing("ordering4", kafka_cluster.bootstrap, kafka_cluster.zookeepers, tmp_path)
    city = City(topology, tmp_path / "network", support.new_topic())
    missing = {name for panel in BROKERS.panels for query in panel.queries for name in metrics_in(query.expr)}
    assert len(missing) == 6
    with city.starting(city.first):
        await told(city.first, 200)
        async with asyncio.timeout(FIGURES_SECONDS_MAX):
            while missing:
                await city.order(city.first, city.envelopes(1))
                _, page = await asyncio.to_thread(asked, city.first, "/metrics")
                missing -= set(re.findall(r"^# TYPE (\w+) ", page, re.MULTILINE))
