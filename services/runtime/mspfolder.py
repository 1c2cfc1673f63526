"""A node's MSP folder, in the layout of Fabric's tools: who the node is, and whom its organisation vouches for."""

from pathlib import Path
from typing import Any

import yaml

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.config import MspConfig, NodeOus, OuIdentifier
from privysharing.protocol.msp.signing import load_signing_identity
from services.runtime.config import ConfigError


def read_signer(folder: Path, msp_id: str) -> SigningIdentity:
    """The identity in `signcerts` and `keystore`. Raises ConfigError."""
    try:
        return load_signing_identity(_only_file(folder / "signcerts"), _only_file(folder / "keystore"), msp_id)
    except ProtocolError as error:
        raise ConfigError(f"{folder} holds no usable identity: {error}") from error


def read_msp(folder: Path, msp_id: str) -> MspConfig:
    """The organisation's MSP (msp configbuilder getMspConfig). Raises ConfigError."""
    document = _config_yaml(folder)
    roots = _files(folder / "cacerts")
    if not roots:
        raise ConfigError(f"{folder / 'cacerts'} must hold at least one certificate")
    return MspConfig(
        name=msp_id,
        root_certs=roots,
        intermediate_certs=_files(folder / "intermediatecerts"),
        admins=_files(folder / "admincerts"),
        revocation_list=_files(folder / "crls"),
        organizational_unit_identifiers=tuple(
            _ou(folder, entry) for entry in document.get("OrganizationalUnitIdentifiers") or ()
        ),
        tls_root_certs=_files(folder / "tlscacerts"),
        tls_intermediate_certs=_files(folder / "tlsintermediatecerts"),
        node_ous=_node_ous(folder, document.get("NodeOUs")),
    )


def _node_ous(folder: Path, section: dict[str, Any] | None) -> NodeOus | None:
    if not section or not section.get("Enable"):
        return None
    units = {
        unit: _ou(folder, section[key]) if section.get(key := f"{unit.capitalize()}OUIdentifier") else None
        for unit in ("client", "peer", "admin", "orderer")
    }
    return NodeOus(True, units["client"], units["peer"], units["admin"], units["orderer"])


def _ou(folder: Path, entry: object) -> OuIdentifier:
    if not isinstance(entry, dict) or not isinstance(entry.get("OrganizationalUnitIdentifier"), str):
        raise ConfigError(f"{folder / 'config.yaml'}: {entry!r} is not an OU with an OrganizationalUnitIdentifier")
    certificate = entry.get("Certificate")
    return OuIdentifier(entry["OrganizationalUnitIdentifier"], _contents(folder / certificate) if certificate else b"")


def _config_yaml(folder: Path) -> dict[str, Any]:
    path = folder / "config.yaml"
    if not path.exists():
        return {}
    try:
        document = yaml.safe_load(_contents(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a mapping, found {type(document).__name__}")
    return document


def _files(folder: Path) -> tuple[bytes, ...]:
    if not folder.is_dir():
        return ()
    return tuple(_contents(path) for path in sorted(folder.iterdir()) if path.is_file())


def _only_file(folder: Path) -> bytes:
    found = _files(folder)
    if len(found) != 1:
        raise ConfigError(f"{folder} must hold exactly one file, it holds {len(found)}")
    return found[0]


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
