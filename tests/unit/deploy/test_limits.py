"""docs/limits.md says what the code does."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.generate import generate
from deploy.topology import load_topology
from services.orderer import config as orderer_config
from services.orderer.kafka.config import KafkaConfig
from services.peer import config as peer_config
from services.runtime.batching import BatchLimits
from services.runtime.config import ConfigError
from services.runtime.grpcserver import GrpcLimits

PAGE = (Path(__file__).parents[3] / "docs" / "limits.md").read_text()


def table(heading: str) -> dict[str, str]:
    """Default by key, of one table."""
    text = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {key: row[2] for row in rows for key in re.findall(r"`([\w.]+)`", row[1])}


PEER, ORDERER, BOTH = table("Peer"), table("Orderer"), table("Both")
PEERS_KEYS = [*PEER, *(key for key in BOTH if not key.startswith("General"))]
ORDERERS_KEYS = [*ORDERER, *(key for key in BOTH if not key.startswith("peer"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated network, with every limit left to its default."""
    network = generate(load_topology("demo"), tmp_path_factory.mktemp("limits") / "demo")
    for name, section in (("orderer0.ministry.city", "General"), ("peer0.citizens.city", "peer")):
        path = network.path(network.node(name).config)
        document: dict[str, Any] = yaml.safe_load(path.read_text())
        document["privysharing"].pop("limits")
        for key in ("MaxRecvMsgSize", "maxRecvMsgSize", "limits"):
            document[section].pop(key, None)
        path.write_text(yaml.safe_dump(document))
    return network.folder / "nodes"


@pytest.fixture
def core_yaml(folder: Path) -> Path:
    return next(folder.glob("**/peer0.citizens.city/core.yaml"))


@pytest.fixture
def orderer_yaml(folder: Path) -> Path:
    return next(folder.glob("**/orderer0.ministry.city/orderer.yaml"))


def shown(grpc: GrpcLimits, batches: BatchLimits, unread_blocks: int) -> dict[str, str]:
    """What the page says of both roles."""
    return {
        "connections": f"{grpc.connections_max}, and 256 fewer than the files that the process may open",
        "connectionTimeout": f"{grpc.connection_seconds:g} s",
        "idleTime": f"{grpc.idle_seconds:g} s",
        "minInterval": f"one in {grpc.keepalive_client_interval_seconds:g} s",
        "requestTime": f"{grpc.request_seconds:g} s",
        "unreadTime": f"{grpc.unread_seconds:g} s",
        "unreadBlocks": f"{unread_blocks}",
        "batchBytes": f"{batches.all_bytes_max} bytes",
        "unsentBytes": f"{batches.all_unsent_bytes_max} bytes",
    }


def named_last(found: dict[str, str]) -> dict[str, str]:
    """By the last part of each key, as peers spell it."""
    return {(last := key.rpartition(".")[2])[0].lower() + last[1:]: value for key, value in found.items()}


def test_the_page_gives_a_peers_defaults(core_yaml: Path) -> None:
    config = peer_config.load(core_yaml, {})
    assert named_last(PEER) == {
        "maxRecvMsgSize": f"{config.limits.message_bytes_max} bytes",
        "deliverService": f"{config.limits.concurrency['protos.Deliver']}",
        "batchEndorser": f"{config.limits.concurrency['privysharing.v1.BatchEndorser']}",
        "endorserService": f"{config.endorsement_workers.waiting_max}",
        "waitingBytes": f"{config.endorsement_workers.waiting_bytes_max} bytes",
        "executetimeout": f"{config.chaincode.execute_timeout_s:g} s",
        "privateData": f"{config.limits.concurrency['privysharing.v1.PrivateData']}",
        "privateDataCalls": f"{config.private_data_service.calls_max}",
        "privateDataBytes": f"{config.private_data_service.bytes_max} bytes",
        "pushAckTimeout": f"{config.exchange.push.ack_seconds:g} s",
        "eraseExpiredInterval": f"{config.exchange.erase_expired_seconds:g} s",
        "pullRetryThreshold": f"{config.exchange.pull.seconds_max:g} s",
    }
    both = {key: value for key, value in BOTH.items() if not key.startswith("General")}
    assert named_last(both) == shown(config.limits, config.batches, config.unread_blocks_max)


def test_the_page_gives_an_orderers_defaults(orderer_yaml: Path) -> None:
    config = orderer_config.load(orderer_yaml, {})
    concurrency = config.limits.concurrency
    assert named_last(ORDERER) == {
        "maxRecvMsgSize": f"{config.limits.message_bytes_max} bytes",
        "broadcast": f"{concurrency['orderer.AtomicBroadcast/Broadcast']}",
        "deliver": f"{concurrency['orderer.AtomicBroadcast/Deliver']}",
        "deliveryTimeout": f"{KafkaConfig().delivery_timeout_s:g} s",
    }
    assert concurrency["orderer.AtomicBroadcast/Broadcast"] == concurrency["privysharing.v1.BatchBroadcast"]
    both = {key.replace("ServerMin", "min"): value for key, value in BOTH.items() if not key.startswith("peer")}
    assert named_last(both) == shown(config.limits, config.batches, config.unread_blocks_max)


@pytest.mark.parametrize("key", PEERS_KEYS)
def test_a_peer_reads_every_key_on_the_page(core_yaml: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?i){re.escape(key)}: plenty is not"):
        peer_config.load(core_yaml, {f"CORE_{key.replace('.', '_').upper()}": "plenty"})


@pytest.mark.parametrize("key", ORDERERS_KEYS)
def test_an_orderer_reads_every_key_on_the_page(orderer_yaml: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?i){re.escape(key)}: plenty is not"):
        orderer_config.load(orderer_yaml, {f"ORDERER_{key.replace('.', '_').upper()}": "plenty"})
