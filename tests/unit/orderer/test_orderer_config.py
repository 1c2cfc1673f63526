"""orderer.yaml is Fabric's, with our additions below `privysharing`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.orderer.config import OrdererConfig, load
from services.runtime.config import Address, ConfigError
from tests.support.authorities import YEAR, root


def write(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
    """A configuration with an identity, changed by a test."""
    holder = root("ca").issue("orderer0", "orderer", lifetime=100 * YEAR)
    for name, content in (("signcerts/cert.pem", holder.pem), ("keystore/key.pem", holder.key_pem)):
        path = folder / "msp" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for name in ("server.crt", "server.key", "ca.crt"):
        (folder / name).write_bytes(name.encode())
    document: dict[str, Any] = {
        "General": {"LocalMSPDir": "msp", "LocalMSPID": "OrdererMSP"},
        "FileLedger": {"Location": "data"},
    }
    change(document)
    path = folder / "orderer.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def read(
    folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None, **environment: str
) -> OrdererConfig:
    return load(write(folder, change), environment)


def test_defaults_are_fabric_s(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert config.listen == Address("127.0.0.1", 7050)
    assert config.reporting.operations == Address("127.0.0.1", 8443)
    assert config.tls is None
    assert config.seek_window_ns == 15 * 60 * 10**9
    assert config.check_expiry
    assert config.time_window_ns == 10 * 60 * 10**9
    assert config.location == tmp_path / "data"
    assert config.genesis is None
    assert config.reporting.unused_keys == ()
    assert config.limits.message_bytes_max == config.limits.sent_bytes_max == 100 * 1024 * 1024
    for service in ("orderer.AtomicBroadcast/Broadcast", "orderer.AtomicBroadcast/Deliver"):
        assert config.limits.concurrency[service] == 2500
    assert config.signer.msp_id == "OrdererMSP"


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    config = read(
        tmp_path, ORDERER_GENERAL_LISTENPORT="9", ORDERER_PRIVYSHARING_TIMEWINDOW="0", FABRIC_LOGGING_SPEC="debug"
    )
    assert config.listen.port == 9
    assert config.time_window_ns == 0
    assert config.reporting.log_spec.text == "debug"


def test_tls_is_read_from_its_files(tmp_path: Path) -> None:
    tls = {
        "Enabled": True,
        "Certificate": "server.crt",
        "PrivateKey": "server.key",
        "ClientAuthRequired": True,
        "ClientRootCAs": ["ca.crt", "ca.crt"],
        "RootCAs": ["ca.crt"],
    }
    config = read(tmp_path, lambda document: document["General"].update(TLS=tls))
    assert config.tls is not None
    assert (config.tls.certificate, config.tls.key) == (b"server.crt", b"server.key")
    assert config.tls.client_roots == b"ca.crt\nca.crt"
    assert config.tls.client_auth_required
    assert config.reporting.unused_keys == ()


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("General", {"ListenPort": 70000}, "General.ListenPort: 70000 is not a whole number from 0 to 65535"),
        ("General", {"LocalMSPID": None}, "General.LocalMSPID is missing"),
        ("General", {"LocalMSPDir": "nowhere"}, "General.LocalMSPDir: .* is not a folder with exactly one file"),
        (
            "General",
            {"TLS": {"Enabled": True, "ClientAuthRequired": True}},
            "General.TLS.ClientRootCAs: None is not a list of files, since ClientAuthRequired is true",
        ),
        ("General", {"TLS": {"Enabled": True, "Certificate": "none.crt"}}, "none.crt is not a readable file"),
        (
            "General",
            {
                "TLS": {
                    "Enabled": True,
                    "Certificate": "server.crt",
                    "PrivateKey": "server.key",
                    "ClientRootCAs": ["no"],
                }
            },
            "ClientRootCAs: .* is not readable files",
        ),
        ("privysharing", {"TimeWindow": "soon"}, "privysharing.TimeWindow: soon is not a duration"),
        ("privysharing", {"Logging": {"Spec": "loud"}}, "privysharing.Logging.Spec: loud is not such as info"),
        ("Metrics", {"Provider": "statsd"}, "Metrics.Provider: statsd is not one of prometheus, disabled"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, section: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, lambda document: document.setdefault(section, {}).update(values))


def test_a_key_that_does_not_fit_the_certificate_is_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "msp" / "keystore" / "key.pem").write_bytes(root("another").key_pem)
    with pytest.raises(
        ConfigError, match=r"General\.LocalMSPDir: msp is not .*: private key does not belong to the cert"
    ):
        load(path, {})


def test_settings_without_a_meaning_here_are_listed(tmp_path: Path) -> None:
    config = read(tmp_path, lambda document: document.update(Consensus={"WALDir": "wal"}))
    assert config.reporting.unused_keys == ("Consensus",)
