"""The sections on Kafka and ZooKeeper mean what Fabric's mean, and say what cannot be used."""

import ssl
from pathlib import Path

import pytest

from services.orderer.kafka.config import KafkaConfig, Login, ZooKeeperConfig, kafka_config
from services.orderer.kafka.patience import Patience, Retry
from services.runtime.config import Address, ConfigError, Section
from tests.support.authorities import root

FABRIC_S = """
Kafka:
  Retry:
    ShortInterval: 5s
    ShortTotal: 10m
    LongInterval: 5m
    LongTotal: 12h
    NetworkTimeouts: {DialTimeout: 10s, ReadTimeout: 10s, WriteTimeout: 10s}
    Metadata: {RetryBackoff: 250ms, RetryMax: 3}
    Producer: {RetryBackoff: 100ms, RetryMax: 3}
    Consumer: {RetryBackoff: 2s}
  Topic: {ReplicationFactor: 3}
  Verbose: false
  TLS: {Enabled: false, PrivateKey: , Certificate: , RootCAs: }
  SASLPlain: {Enabled: false, User: , Password: }
  Version:
"""


def load(folder: Path, text: str) -> tuple[KafkaConfig, list[str]]:
    file = folder / "orderer.yaml"
    file.write_text(text)
    section = Section.load(file, "ORDERER", {})
    return kafka_config(section), section.unused()


def test_fabric_s_own_section_is_understood_to_the_last_key(tmp_path: Path) -> None:
    config, unused = load(tmp_path, FABRIC_S)
    assert config.retry == Retry(short_interval_s=5.0, long_interval_s=300.0, dial_timeout_s=10.0)
    assert (config.replication_factor, config.in_sync_replicas, config.version) == (3, 2, None)
    assert [key for key in unused if ".TLS." not in key and ".SASLPlain." not in key] == []


def test_our_keys_say_which_brokers_and_which_ensemble(tmp_path: Path) -> None:
    text = """
Kafka: {Version: 2.8.0, SASLPlain: {Enabled: true, User: orderer, Password: secret}}
privysharing:
  ordering: kafka
  kafka: {brokers: [a:1, b:2], deliveryTimeout: 2s, saslMechanism: SCRAM-SHA-512}
  zookeeper: {addresses: [z:1], root: /city/, brokers: /kafka, sessionTimeout: 9s, advertised: me.city:7050}
"""
    config, unused = load(tmp_path, text)
    assert unused == []
    assert (config.always, config.brokers, config.delivery_timeout_s) == (True, ("a:1", "b:2"), 2.0)
    assert (config.version, config.protocol) == ((2, 8, 0), "SASL_PLAINTEXT")
    assert config.login == Login("orderer", "secret", "SCRAM-SHA-512")
    assert "secret" not in repr(config)
    assert config.zookeeper == ZooKeeperConfig(
        addresses=("z:1",), root="/city", brokers="/kafka", session_s=9.0, advertised=Address("me.city", 7050)
    )


def test_brokers_may_have_to_show_a_certificate(tmp_path: Path) -> None:
    authority = root("ca.brokers")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    config, _ = load(tmp_path, "Kafka: {TLS: {Enabled: true, RootCAs: {File: ca.pem}}}")
    assert config.protocol == "SSL"
    assert config.tls is not None
    assert config.tls.verify_mode is ssl.CERT_REQUIRED
    assert config.tls.check_hostname


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Kafka: {Version: newest}", "Kafka.Version: newest is not the version of a protocol"),
        ("Kafka: {Topic: {ReplicationFactor: 0}}", "Kafka.Topic.ReplicationFactor: 0 is not"),
        ("Kafka: {TLS: {Enabled: true, RootCAs: {File: missing.pem}}}", "Kafka.TLS.Enabled"),
        (
            "privysharing: {Kafka: {SASLMechanism: NONE}}",
            "privysharing.Kafka.SASLMechanism: NONE is not one of PLAIN, ",
        ),
        ("privysharing: {Ordering: raft}", "privysharing.Ordering: raft is not one of channel, kafka"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(tmp_path, text)


def test_what_fails_is_tried_again_for_ever_and_more_rarely_after_a_while() -> None:
    patience = Patience(Retry(short_interval_s=1.0, short_total_s=10.0, long_interval_s=100.0))
    pauses = [patience.pause() for _ in range(40)]
    assert all(0.5 <= pause <= 1.5 for pause in pauses[:5])
    assert all(50.0 <= pause <= 150.0 for pause in pauses[25:])
    assert len(set(pauses)) > 30
    patience.forget()
    assert patience.pause() <= 1.5
