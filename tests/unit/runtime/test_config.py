"""Configuration: Fabric's keys in any case, the environment on top, and errors that say what is allowed."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.runtime.config import Address, ConfigError, Section

YAML = """
General:
  ListenAddress: 127.0.0.1
  ListenPort: 7050
  TLS: {Enabled: true, PrivateKey: tls/server.key}
  BatchTimeout: 1m30s
  Roots: [a.pem, b.pem]
  Misspelt: 1
Channels:
  - {name: health}
  - {name: police, extra: 1}
"""


def load(tmp_path: Path, environment: Mapping[str, str] | None = None, text: str = YAML) -> Section:
    path = tmp_path / "orderer.yaml"
    path.write_text(text)
    return Section.load(path, "ORDERER", environment or {})


def test_values_are_found_whatever_the_case_of_their_key(tmp_path: Path) -> None:
    general = load(tmp_path).section("general")
    assert general.text("listenAddress") == "127.0.0.1"
    assert general.integer("LISTENPORT", most=65535) == 7050
    assert general.section("tls").flag("enabled") is True
    assert general.section("TLS").path("privateKey") == tmp_path / "tls" / "server.key"
    assert general.seconds("BatchTimeout") == 90
    assert general.texts("Roots") == ("a.pem", "b.pem")
    assert general.paths("Roots") == (tmp_path / "a.pem", tmp_path / "b.pem")


def test_defaults_hold_where_nothing_is_said(tmp_path: Path) -> None:
    section = load(tmp_path).section("Nothing")
    assert section.integer("A", 5) == 5
    assert section.flag("B", False) is False
    assert section.seconds("C", "250ms") == 0.25
    assert section.address("D", "0.0.0.0:7050") == Address("0.0.0.0", 7050)
    assert section.texts("E") == ()
    assert not section.has("A")


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    environment = {
        "ORDERER_GENERAL_LISTENPORT": "9",
        "ORDERER_GENERAL_TLS_ENABLED": "false",
        "ORDERER_GENERAL_ROOTS": "x,y z",
    }
    general = load(tmp_path, environment).section("General")
    assert general.integer("ListenPort") == 9
    assert general.section("TLS").flag("Enabled") is False
    assert general.texts("Roots") == ("x", "y", "z")


@pytest.mark.parametrize(
    ("key", "value", "read", "message"),
    [
        ("Port", "70000", "integer", "G.Port: 70000 is not a whole number from 0 to 65535"),
        ("Port", "true", "integer", "G.Port: True is not a whole number from 0 to 65535"),
        ("Port", "'x'", "integer", "G.Port: x is not a whole number from 0 to 65535"),
        ("Port", "maybe", "flag", "G.Port: maybe is not true or false"),
        ("Port", "5", "seconds", "G.Port: 5 is not a duration such as 250ms, 2s or 1m30s, at least 0s"),
        ("Port", "2 fortnights", "seconds", "G.Port: 2 fortnights is not a duration such as 250ms, 2s or 1m30s"),
        ("Port", "localhost", "address", "G.Port: localhost is not host:port"),
        ("Port", "{a: 1}", "text", "G.Port: {'a': 1} is not text"),
        ("Port", "{a: 1}", "texts", "G.Port: {'a': 1} is not a list of texts"),
        ("Port", "7", "section", "G.Port: 7 is not a mapping"),
        ("Port", "7", "sections", "G.Port: 7 is not a list of mappings"),
        ("Port", '"a\\0b"', "text", r"G.Port: 'a\x00b' is not text"),
        ("Port", '"a\\0b"', "contents", r"G.Port: 'a\x00b' is not text"),
        ("Port", '["\\ud800"]', "texts", r"G.Port: ['\ud800'] is not a list of texts"),
        ("Port", "x" * 300, "only_file", "is not a readable folder (File name too long)"),
        ("Port", "none.pem", "contents", "none.pem is not a readable file (No such file or directory)"),
        ("Other", "1", "integer", "G.Port is missing"),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_what_is_allowed(
    tmp_path: Path, key: str, value: str, read: str, message: str
) -> None:
    section = load(tmp_path, text=f"G: {{{key}: {value}}}").section("G")
    arguments = {"most": 65535} if read == "integer" else {}
    with pytest.raises(ConfigError) as caught:
        getattr(section, read)("Port", **arguments)
    assert message in str(caught.value)


def test_the_one_file_of_a_folder_is_found_whatever_its_name(tmp_path: Path) -> None:
    section = load(tmp_path, text="MSPDir: msp")
    folder = tmp_path / "msp" / "signcerts"
    with pytest.raises(ConfigError, match=r"MSPDir: .*signcerts is not a folder with exactly one file \(it has 0\)"):
        section.only_file("MSPDir", "signcerts")
    folder.mkdir(parents=True)
    (folder / "anybody.pem").write_bytes(b"certificate")
    assert section.only_file("MSPDir", "signcerts") == b"certificate"
    (folder / "other.pem").write_bytes(b"certificate")
    with pytest.raises(ConfigError, match="it has 2"):
        section.only_file("MSPDir", "signcerts")


def test_a_choice_is_refused_unless_it_is_one_of_those_allowed(tmp_path: Path) -> None:
    section = load(tmp_path, text="Format: xml")
    with pytest.raises(ConfigError, match="Format: xml is not one of json, console"):
        section.text("Format", allowed=("json", "console"))


def test_keys_that_nobody_asked_for_are_reported(tmp_path: Path) -> None:
    root = load(tmp_path)
    general = root.section("General")
    for key in ("ListenAddress", "ListenPort", "BatchTimeout", "Roots"):
        general.has(key)
    general.section("TLS").has("Enabled")
    for channel in root.sections("Channels"):
        channel.text("name")
    assert root.unused() == ["Channels[1].extra", "General.Misspelt", "General.TLS.PrivateKey"]


def test_a_file_that_cannot_be_read_or_is_not_a_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        Section.load(tmp_path / "none.yaml", "CORE", {})
    for text, message in (("- 1", "expected a mapping"), ("a: [", "is not YAML"), ("[" * 3000, "is not YAML")):
        with pytest.raises(ConfigError, match=message):
            load(tmp_path, text=text)


def test_addresses_are_read_and_written() -> None:
    assert str(Address.parse("[::1]:80")) == "[::1]:80"
    assert Address.parse(":80") == Address("0.0.0.0", 80)
    for bad in ("localhost", "localhost:", "localhost:99999", "a:b"):
        with pytest.raises(ValueError, match=f"^{re.escape(bad)}$"):
            Address.parse(bad)
