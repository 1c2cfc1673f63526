"""Who can prove to be whom: authorities, identities and TLS certificates of a whole network, and their files.

One root CA of the root organisation certifies one CA of each organisation, which certifies its nodes and users. TLS
certificates come from a CA of their own per organisation: who may connect is not who may sign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from deploy import layout
from deploy.certificates import Authority, Chance, Credential
from deploy.topology import Organisation, PeerNode, Topology
from privysharing.protocol.msp.config import MspConfig, NodeOus, OuIdentifier

NODE_OUS = ("client", "peer", "admin", "orderer")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Keys:
    """What one node or user holds."""

    common_name: str
    unit: str
    identity: Credential
    tls: Credential


@dataclass(frozen=True, slots=True)
class OrganisationMaterial:
    """One organisation's authorities, and the keys of its nodes (by full name) and users (by name)."""

    org: Organisation
    root_ca: Authority
    ca: Authority
    tls_ca: Authority
    nodes: Mapping[str, Keys]
    users: Mapping[str, Keys]
    application: Credential  # TLS, for client programs that several people use

    @property
    def root_ca_name(self) -> str:
        """The file name of the root certificate in MSP folders."""
        return f"root.{self.root_ca.organisation}-cert.pem"

    @property
    def ca_name(self) -> str:
        """The file name of the organisation's CA certificate in MSP folders."""
        return f"ca.{self.org.domain}-cert.pem"

    @property
    def msp(self) -> MspConfig:
        """What the organisation states in a channel's configuration."""
        ca = self.ca.credential.certificate_pem
        return MspConfig(
            name=self.org.msp_id,
            root_certs=(self.root_ca.credential.certificate_pem,),
            intermediate_certs=(ca,),
            tls_root_certs=(self.tls_ca.credential.certificate_pem,),
            node_ous=NodeOus(enable=True, **{unit: OuIdentifier(unit, ca) for unit in NODE_OUS}),
        )


@dataclass(frozen=True, slots=True)
class Material:
    """Every key and certificate of a network."""

    root_ca: Authority
    organisations: Mapping[str, OrganisationMaterial]

    @classmethod
    def make(
        cls,
        topology: Topology,
        now: datetime,
        chance: Chance = Chance(),
        names: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> "Material":
        """Draw new keys for everybody in `topology`. TLS certificates also say the further `names` of nodes."""
        root_ca = Authority.root(f"root.{topology.root.domain}", topology.root.domain, now, chance)
        return cls(root_ca, {org.name: _organisation(topology, org, root_ca, names) for org in topology.organisations})

    def write(self, topology: Topology, folder: Path) -> None:
        """Write the MSP and TLS folders of everybody below `folder`."""
        root = self.root_ca.credential
        _write_authority(folder / layout.ROOT_CA, f"root.{topology.root.domain}-cert.pem", root)
        for material in self.organisations.values():
            _write_organisation(topology, material, folder)


def _organisation(
    topology: Topology, org: Organisation, root_ca: Authority, names: Mapping[str, Sequence[str]]
) -> OrganisationMaterial:
    ca = root_ca.intermediate(f"ca.{org.domain}", org.domain)
    tls_ca = Authority.root(f"tlsca.{org.domain}", org.domain, root_ca.now, root_ca.chance)
    nodes: dict[str, Keys] = {}
    for node in topology.nodes:
        if node.org == org:
            unit = "peer" if isinstance(node, PeerNode) else "orderer"
            hosts = tuple(dict.fromkeys((node.full_name, *names.get(node.full_name, ()), *LOOPBACK)))
            keys = Keys(node.full_name, unit, ca.identity(node.full_name, unit), tls_ca.tls(node.full_name, hosts))
            nodes[node.full_name] = keys
    users = {user: _user(org, user, "client", ca, tls_ca) for user in org.users}
    users[layout.ADMIN] = _user(org, layout.ADMIN, "admin", ca, tls_ca)
    return OrganisationMaterial(org, root_ca, ca, tls_ca, nodes, users, tls_ca.tls(f"application.{org.domain}"))


def _user(org: Organisation, user: str, unit: str, ca: Authority, tls_ca: Authority) -> Keys:
    attributes = {"hf.EnrollmentID": user, "hf.Type": unit, "hf.Affiliation": ""}
    return Keys(user, unit, ca.identity(user, unit, attributes), tls_ca.tls(f"{user}@{org.domain}"))


def _write_organisation(topology: Topology, material: OrganisationMaterial, folder: Path) -> None:
    org = material.org
    base = folder / layout.organisation_folder(topology, org)
    _write_authority(base / "ca", material.ca_name, material.ca.credential)
    _write_authority(base / "tlsca", f"tlsca.{org.domain}-cert.pem", material.tls_ca.credential)
    _write_verifying_msp(base / "msp", material)
    nodes = {node.full_name: node for node in topology.nodes}
    for name, keys in material.nodes.items():
        _write_keys(folder / layout.node_crypto_folder(topology, nodes[name]), name, "server", keys, material)
    _write_tls(folder / layout.application_folder(topology, org), "client", material.application, material)
    for user, keys in material.users.items():
        _write_keys(folder / layout.user_folder(topology, org, user), f"{user}@{org.domain}", "client", keys, material)


def _write_keys(folder: Path, name: str, end: str, keys: Keys, material: OrganisationMaterial) -> None:
    msp = folder / "msp"
    _write_verifying_msp(msp, material)
    _write(msp / "signcerts" / f"{name}-cert.pem", keys.identity.certificate_pem)
    _write_private(msp / "keystore" / "priv_sk", keys.identity.key_pem)
    _write_tls(folder / "tls", end, keys.tls, material)


def _write_tls(folder: Path, end: str, tls: Credential, material: OrganisationMaterial) -> None:
    _write(folder / "ca.crt", material.tls_ca.credential.certificate_pem)
    _write(folder / f"{end}.crt", tls.certificate_pem)
    _write_private(folder / f"{end}.key", tls.key_pem)


def _write_verifying_msp(msp: Path, material: OrganisationMaterial) -> None:
    """What tells an organisation's people from others: no private key in it."""
    _write(msp / "cacerts" / material.root_ca_name, material.root_ca.credential.certificate_pem)
    _write(msp / "intermediatecerts" / material.ca_name, material.ca.credential.certificate_pem)
    _write(msp / "tlscacerts" / f"tlsca.{material.org.domain}-cert.pem", material.tls_ca.credential.certificate_pem)
    _write(msp / "config.yaml", _node_ous_yaml(f"intermediatecerts/{material.ca_name}").encode())
    (msp / "admincerts").mkdir(exist_ok=True)


def _node_ous_yaml(certificate: str) -> str:
    lines = ["NodeOUs:", "    Enable: true"]
    for unit in NODE_OUS:
        lines += [
            f"    {unit.capitalize()}OUIdentifier:",
            f"        Certificate: {certificate}",
            f"        OrganizationalUnitIdentifier: {unit}",
        ]
    return "\n".join(lines) + "\n"


def _write_authority(folder: Path, certificate_name: str, credential: Credential) -> None:
    _write(folder / certificate_name, credential.certificate_pem)
    _write_private(folder / "priv_sk", credential.key_pem)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_private(path: Path, content: bytes) -> None:
    """A file that only its owner reads, from its first moment on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(content)
