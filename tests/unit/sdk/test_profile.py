"""A profile that is not as it should be is refused by the name of what is wrong, and never by a traceback."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.generate import generate
from deploy.topology import load_topology
from privysharing.sdk import ConnectionProfile
from privysharing.sdk.errors import ProfileError

HEALTH = "channels.health"
PEER = "peer0.citizens.city"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = generate(load_topology("demo"), tmp_path_factory.mktemp("network") / "demo")
    return network.path(network.organisation("CitizensMSP").profile)


@pytest.fixture
def load(good: Path) -> Iterator[Callable[[Any], ConnectionProfile]]:
    changed = good.with_name("changed.json")  # beside the good one, for its relative paths

    def load(document: Any) -> ConnectionProfile:
        changed.write_text(json.dumps(document))
        return ConnectionProfile.load(changed)

    yield load
    changed.unlink(missing_ok=True)


def places(value: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Every key of a document, by its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from places(inner, *path, key)


def changed(document: Any, path: tuple[str, ...], *value: Any) -> Any:
    """A copy with another value at a path, or without it."""
    copied = copy.deepcopy(document)
    inside = copied
    for key in path[:-1]:
        inside = inside[key]
    if value:
        inside[path[-1]] = value[0]
    else:
        del inside[path[-1]]
    return copied


def refusal(load: Callable[[Any], ConnectionProfile], document: Any) -> str:
    """What a profile is refused with; empty when it is not."""
    try:
        load(document)
    except ProfileError as error:
        return str(error)
    return ""


def test_a_generated_profile_says_who_serves_a_channel_ones_own_organisation_first(good: Path) -> None:
    profile = ConnectionProfile.load(good)
    nodes = profile.channel("health")
    assert profile.msp_id == "CitizensMSP"
    assert [node.msp_id for node in nodes.endorsers] == ["CitizensMSP", "MedicalMSP", "PoliceMSP"]
    assert [node.msp_id for node in nodes.event_sources[:2]] == ["CitizensMSP"] * 2
    assert nodes.event_sources[0] == nodes.endorsers[0]
    assert nodes.endorsements == 2
    assert len(nodes.orderers) == 1
    assert profile.tls_certificate.startswith(b"-----BEGIN CERTIFICATE")
    assert "PRIVATE" not in repr(profile)
    with pytest.raises(ProfileError, match="no channel 'police' in the profile; it has health"):
        profile.channel("police")


def test_wherever_something_is_missing_the_error_names_it(good: Path, load: Callable[[Any], ConnectionProfile]) -> None:
    document = json.loads(good.read_text())
    found = {path: refusal(load, changed(document, path)) for path in places(document)}
    for path, message in found.items():
        assert not message or path[-1] in message or path[-1] in ("pem", "path")
    refused = {".".join(path) for path, message in found.items() if message}
    assert {"client", "client.organization", "organizations", "peers", "orderers", f"{HEALTH}.peers"} <= refused
    assert {f"peers.{PEER}", f"peers.{PEER}.url", f"peers.{PEER}.tlsCACerts", f"peers.{PEER}.tlsCACerts.pem"} <= refused
    assert {"organizations.citizens.mspid", "client.tlsCerts.client.key", f"{HEALTH}.orderers"} <= refused
    assert not {"name", "version", "client.connection", f"{HEALTH}.endorsements", "client.tlsCerts"} & refused


@pytest.mark.parametrize("value", [None, 7, -1, 1.5, True, "text", "\0", [], [7], {}, {"a": 7}])
def test_wherever_a_value_is_of_another_kind_it_counts_or_the_error_names_it(
    value: Any, good: Path, load: Callable[[Any], ConnectionProfile]
) -> None:
    document = json.loads(good.read_text())
    for path in places(document):
        message = refusal(load, changed(document, path, value))
        assert not message or any(key in message for key in path), (path, message)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("channels.health.endorsements", 0, "channels.health.endorsements: needed a number of 1 or more, found 0"),
        (
            "channels.health.endorsements",
            True,
            "channels.health.endorsements: needed a number of 1 or more, found true",
        ),
        ("organizations", [], "organizations: needed an object, found []"),
        ("channels.health.peers", {"x": {}}, "channels.health.peers: needed names from `peers`, which has no x"),
        ("channels.health.orderers", ["x"], "channels.health.orderers: needed names from `orderers`, which has no x"),
        ("client.tlsCerts.client.cert", {"pem": "x"}, "client.tlsCerts.client.cert: needed certificates in PEM"),
        ("client.tlsCerts.client.key", {"pem": "x"}, "client.tlsCerts.client.key: needed a private key in PEM"),
        ("client.tlsCerts.client.key", {"path": "nothing"}, "client.tlsCerts.client.key.path: cannot read"),
        ("client.tlsCerts.client.key", {}, "client.tlsCerts.client.key: needed `pem` or `path`"),
        ("client.organization", "nobody", "needed organizations.nobody, which is not there"),
    ],
)
def test_what_is_wrong_is_told_with_what_was_needed(
    path: str, value: Any, message: str, good: Path, load: Callable[[Any], ConnectionProfile]
) -> None:
    with pytest.raises(ProfileError) as caught:
        load(changed(json.loads(good.read_text()), tuple(path.split(".")), value))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "grpc://localhost:7051",
        "grpcs://localhost",
        "grpcs://:7051",
        "localhost:7051",
        "grpcs://[::1",
        "grpcs://h:x",
        "",
    ],
)
def test_a_url_without_tls_host_or_port_is_refused(
    url: str, good: Path, load: Callable[[Any], ConnectionProfile]
) -> None:
    document = changed(json.loads(good.read_text()), ("peers", PEER, "url"), url)
    with pytest.raises(ProfileError, match="url: needed grpcs://host:port"):
        load(document)


def test_pem_may_be_a_list_of_certificates(good: Path, load: Callable[[Any], ConnectionProfile]) -> None:
    document = json.loads(good.read_text())
    pem = document["peers"][PEER]["tlsCACerts"]["pem"]
    profile = load(changed(document, ("peers", PEER, "tlsCACerts", "pem"), [pem, pem]))
    assert profile.channel("health").endorsers[0].tls_ca.count(b"BEGIN CERTIFICATE") == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "\xff", '"text"', "[" * 100_000])
def test_a_file_that_holds_no_object_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ProfileError, match=r"profile\.json"):
        ConnectionProfile.load(path)


def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.json", tmp_path):
        with pytest.raises(ProfileError, match=f"cannot read {path}"):
            ConnectionProfile.load(path)
