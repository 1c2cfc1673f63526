"""An organisation's MSP as the folder of Fabric's tools holds it: whom the peer's own organisation vouches for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from privysharing.protocol.msp.config import MspConfig, NodeOus, OuIdentifier
from services.runtime.config import ConfigError


def read_msp(folder: Path, msp_id: str) -> MspConfig:
    """The MSP in a folder (msp configbuilder getMspConfig). Raises ConfigError."""
    document = _config_yaml(folder)
    roots = _files(folder / "cacerts")
    if not roots:
        raise ConfigError(f"{folder / 'cacerts'} holds no certificate, and must hold one at least")
    units = document.get("OrganizationalUnitIdentifiers") or ()
    return MspConfig(
        name=msp_id,
        root_certs=roots,
        intermediate_certs=_files(folder / "intermediatecerts"),
        admins=_files(folder / "admincerts"),
        revocation_list=_files(folder / "crls"),
        organizational_unit_identifiers=tuple(_unit(folder, unit) for unit in units),
        tls_root_certs=_files(folder / "tlscacerts"),
        tls_intermediate_certs=_files(folder / "tlsintermediatecerts"),
        node_ous=_node_ous(folder, document.get("NodeOUs") or {}),
    )


def _node_ous(folder: Path, section: Mapping[str, Any]) -> NodeOus | None:
    if not section.get("Enable"):
        return None
    client, peer, admin, orderer = (
        _unit(folder, section[key]) if section.get(key := f"{unit}OUIdentifier") else None
        for unit in ("Client", "Peer", "Admin", "Orderer")
    )
    return NodeOus(True, client, peer, admin, orderer)


def _unit(folder: Path, entry: Any) -> OuIdentifier:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("OrganizationalUnitIdentifier"), str):
        raise ConfigError(f"{folder / 'config.yaml'}: {entry!r} names no OrganizationalUnitIdentifier")
    certificate = entry.get("Certificate")
    return OuIdentifier(entry["OrganizationalUnitIdentifier"], _contents(folder / certificate) if certificate else b"")


def _config_yaml(folder: Path) -> Mapping[str, Any]:
    path = folder / "config.yaml"
    if not path.exists():
        return {}
    try:
        document = yaml.safe_load(_contents(path))
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(document, Mapping):
        raise ConfigError(f"{path} must hold a mapping, and holds {type(document).__name__}")
    return document


def _files(folder: Path) -> tuple[bytes, ...]:
    if not folder.is_dir():
        return ()
    return tuple(_contents(path) for path in sorted(folder.iterdir()) if path.is_file())


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
