"""core.yaml: what the generator writes is read, and what cannot be used is named."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.generate import generate
from deploy.topology import load_topology
from privysharing.protocol.msp.provider import Msp
from services.peer.config import PeerConfig, load
from services.runtime.config import ConfigError
from tests.support.authorities import root

Document = dict[str, Any]


@pytest.fixture(scope="module")
def core_yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = generate(load_topology("demo"), tmp_path_factory.mktemp("net") / "demo")
    node = next(node for node in network.nodes if node.name == "peer0.citizens.city")
    return network.path(node.config)


@pytest.fixture
def changed(core_yaml: Path) -> Callable[[Callable[[Document], object]], PeerConfig]:
    def load_changed(change: Callable[[Document], object]) -> PeerConfig:
        document = yaml.safe_load(core_yaml.read_text())
        change(document)
        path = core_yaml.with_name("changed.yaml")
        path.write_text(yaml.safe_dump(document))
        return load(path, {})

    return load_changed


def test_a_generated_configuration_says_all_and_nothing_unknown(core_yaml: Path) -> None:
    config = load(core_yaml, {})
    assert config.reporting.unused_keys == ()
    assert config.msp.name == config.signer.msp_id == "CitizensMSP"
    assert config.msp.node_ous is not None
    assert Msp(config.msp).name == "CitizensMSP"
    assert config.tls is not None
    assert config.tls.client_auth_required
    assert config.client_tls is not None
    assert config.contracts == {"privysharing": "privysharing"}
    (channel,) = config.channels
    assert (channel.channel_id, channel.genesis.header.number) == ("health", 0)
    assert [orderer.msp_id for orderer in channel.orderers] == ["MinistryMSP"]
    assert config.location == core_yaml.parent / "data"


def test_defaults_are_fabrics(changed: Callable[..., PeerConfig]) -> None:
    def bare(document: dict[str, Any]) -> None:
        del document["peer"]["maxRecvMsgSize"], document["peer"]["limits"], document["privysharing"]["limits"]

    config = changed(bare)
    assert config.seek_window_ns == 15 * 60 * 10**9
    assert config.endorser.time_window_s == 900
    assert config.chaincode.execute_timeout_s == 30
    assert config.limits.message_bytes_max == config.limits.sent_bytes_max == 100 * 1024 * 1024
    assert config.limits.keepalive_interval_seconds == 7200
    assert config.limits.keepalive_timeout_seconds == 20
    assert config.limits.keepalive_client_interval_seconds == 60
    for service in ("protos.Deliver", "privysharing.v1.BatchEndorser", "privysharing.v1.PrivateData"):
        assert config.limits.concurrency[service] == 2500
    assert config.exchange.push.ack_seconds == 3
    assert config.exchange.reconciler.pause_seconds_max == 60
    assert config.endorsement_workers.waiting_max == 2500
    assert config.feed.first_answer_seconds == 3


def test_the_environment_overrides(core_yaml: Path) -> None:
    environment = {"CORE_PEER_LISTENADDRESS": "127.0.0.1:1234", "CORE_PEER_AUTHENTICATION_TIMEWINDOW": "1m"}
    config = load(core_yaml, environment)
    assert (str(config.listen), config.endorser.time_window_s) == ("127.0.0.1:1234", 60)


@pytest.mark.parametrize("days", [-1, 1])
def test_an_identity_is_good_until_it_expires(changed: Callable[..., PeerConfig], tmp_path: Path, days: int) -> None:
    ends = datetime.now(UTC) + timedelta(days=days)
    holder = root().issue("peer", "peer", start=ends - timedelta(days=300), lifetime=timedelta(days=300))
    for folder, content in (("signcerts", holder.pem), ("keystore", holder.key_pem), ("cacerts", holder.pem)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file.pem").write_bytes(content)

    def elsewhere(document: Document) -> None:
        document["peer"]["mspConfigPath"] = str(tmp_path)

    if days > 0:
        assert changed(elsewhere).signer.certificate_pem == holder.pem
        return
    with pytest.raises(ConfigError, match=rf"peer.mspConfigPath.* expired at {ends:%Y-%m-%d %H:%M:%S}Z; renew it"):
        changed(elsewhere)


def test_a_key_without_a_meaning_is_reported(changed: Callable[..., PeerConfig]) -> None:
    config = changed(lambda document: document["peer"].update(lisenAddress="x"))
    assert config.reporting.unused_keys == ("peer.lisenAddress",)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d["peer"].update(listenAddress="nowhere"), "peer.listenAddress: nowhere is not host:port"),
        (lambda d: d["peer"].pop("localMspId"), "localMspId is missing"),
        (lambda d: d["peer"].update(mspConfigPath="missing"), "missing"),
        (lambda d: d["peer"]["tls"]["cert"].update(file="missing.crt"), "peer.tls.cert.file"),
        (lambda d: d["peer"]["tls"].update(clientRootCAs={}), "peer.tls.clientRootCAs"),
        (lambda d: d["peer"].update(keepalive={"minInterval": "x"}), "peer.keepalive.minInterval: x is not a duration"),
        (lambda d: d["operations"].update(tls={"enabled": True, "key": {}}), "operations.tls.cert.file is missing"),
        (lambda d: d["peer"].update(validatorPoolSize=0), "peer.validatorPoolSize: 0"),
        (lambda d: d["peer"].update(authentication={"timewindow": "soon"}), "timewindow: soon is not a duration"),
        (lambda d: d["privysharing"]["channels"][0].update(genesis="core.yaml"), "is not a block"),
        (lambda d: d["privysharing"]["channels"][0]["orderers"][0].update(address="x"), "orderers"),
        (lambda d: d["privysharing"].update(verifier="perhaps"), "privysharing.verifier: perhaps"),
        (lambda d: d["privysharing"].update(logging={"spec": "loud"}), "privysharing.logging.spec: loud"),
    ],
)
def test_what_cannot_be_used_is_named(
    changed: Callable[..., PeerConfig], change: Callable[[Document], object], named: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(change)
    assert named in str(caught.value)
