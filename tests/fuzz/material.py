"""A channel, its people and everything that they may say: the same bytes in every process, so that inputs replay.

Two member organisations, one that orders, a stranger's; keys follow from names, signatures from keys and messages.
"""

import functools
import hashlib
from collections.abc import Sequence
from datetime import timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.genesis import ChannelProfile, OrgProfile, genesis_block
from privysharing.protocol.channel.settings import BatchSize, ConsensusType
from privysharing.protocol.crypto import CURVE_ORDERS, SigningIdentity, to_low_s
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.protocol.policies.dsl import parse_implicit_meta, parse_policy
from tests.support.authorities import START, Holder, msp_config, root

CHANNEL = "health"
NOW_NS = int((START + timedelta(days=30)).timestamp()) * 1_000_000_000  # when every certificate here is valid
CHAINCODE = "privysharing"
_SHA256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


def key(name: str) -> ec.EllipticCurvePrivateKey:
    """The key of that name."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    return ec.derive_private_key(number % (CURVE_ORDERS["secp256r1"] - 1) + 1, ec.SECP256R1())


def serial(name: str) -> int:
    """The serial number of that name."""
    return int.from_bytes(hashlib.sha256(b"serial" + name.encode()).digest()[:16], "big") + 1


class Signer(SigningIdentity):
    """Signs the same message alike every time."""

    def sign(self, message: bytes) -> bytes:
        """A low-S signature, deterministic (RFC 6979)."""
        return to_low_s(self.private_key.sign(message, _SHA256), self.private_key.curve)


class Organisation:
    """An organisation with a CA, and people."""

    def __init__(self, msp_id: str, unit: str = "client") -> None:
        self.msp_id = msp_id
        self.ca: Holder = root(f"ca.{msp_id}", key=key(f"ca.{msp_id}"), serial=serial(msp_id))
        self._writers = unit

    @functools.cache  # noqa: B019 - organisations live as long as the process
    def holder(self, name: str, unit: str = "client") -> Holder:
        """Certificate and key of somebody."""
        full = f"{name}.{unit}@{self.msp_id}"
        return self.ca.issue(name, unit, key=key(full), serial=serial(full))

    @functools.cache  # noqa: B019 - as above
    def signer(self, name: str, unit: str = "client") -> SigningIdentity:
        """Somebody, ready to sign."""
        holder = self.holder(name, unit)
        found = load_signing_identity(holder.pem, holder.key_pem, self.msp_id)
        return Signer(found.msp_id, found.certificate_pem, found.serialized, found.private_key)

    def profile(self) -> OrgProfile:
        """The organisation as a channel knows it."""
        readers = "orderer" if self._writers == "orderer" else "peer"
        rules = {
            "Readers": f"OR('{self.msp_id}.admin', '{self.msp_id}.{readers}')",
            "Writers": f"OR('{self.msp_id}.admin', '{self.msp_id}.{self._writers}')",
            "Admins": f"OR('{self.msp_id}.admin')",
            "Endorsement": f"OR('{self.msp_id}.peer')",
        }
        policies = {name: parse_policy(rule) for name, rule in rules.items()}
        return OrgProfile(self.msp_id, msp_config(self.msp_id, self.ca), policies)


ORG1, ORG2, STRANGERS = Organisation("Org1MSP"), Organisation("Org2MSP"), Organisation("StrangerMSP")
ORDERERS = Organisation("OrdererMSP", "orderer")
CLIENT, OTHER_CLIENT = ORG1.signer("alice"), ORG2.signer("bob")
ADMINS = (ORG1.signer("admin", "admin"), ORG2.signer("admin", "admin"))
ORDERER_ADMIN = ORDERERS.signer("admin", "admin")
PEERS = (ORG1.signer("peer0", "peer"), ORG2.signer("peer0", "peer"))
ORDERER = ORDERERS.signer("orderer0", "orderer")
STRANGER = STRANGERS.signer("mallory")


def genesis(channel_id: str = CHANNEL) -> Block:
    """The first block of the channel."""
    meta = {
        "Readers": parse_implicit_meta("ANY Readers"),
        "Writers": parse_implicit_meta("ANY Writers"),
        "Admins": parse_implicit_meta("MAJORITY Admins"),
    }
    endorsement = {
        name: parse_implicit_meta("MAJORITY Endorsement") for name in ("Endorsement", "LifecycleEndorsement")
    }
    profile = ChannelProfile(
        channel_id=channel_id,
        orderer_orgs=(ORDERERS.profile(),),
        application_orgs=(ORG1.profile(), ORG2.profile()),
        channel_policies=meta,
        orderer_policies={**meta, "BlockValidation": parse_implicit_meta("ANY Writers")},
        application_policies={**meta, **endorsement},
        consensus=ConsensusType("solo"),
        batch_size=BatchSize(),
        batch_timeout_s=0.1,
    )
    return genesis_block(profile, nonce=b"n" * 24, timestamp_ns=NOW_NS)


GENESIS = genesis()


def cold_config() -> ChannelConfig:
    """The channel's configuration with nothing in any cache."""
    return ChannelConfig.from_block(GENESIS)


def identities() -> Sequence[bytes]:
    """Everybody's serialized identity."""
    signers = (CLIENT, OTHER_CLIENT, *ADMINS, *PEERS, ORDERER, ORDERER_ADMIN, STRANGER)
    return [signer.serialized for signer in signers]
