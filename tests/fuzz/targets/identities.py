"""Certificates, revocation lists, MSP configurations and policies."""

import random
from collections.abc import Sequence
from dataclasses import replace

from privysharing.protocol.codec.msps import encode_msp_config, encode_serialized_identity, parse_msp_config
from privysharing.protocol.codec.policies import encode_signature_policy, parse_signature_policy
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.certificates import decode_pem
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.msp.principals import MspRole, RolePrincipal
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.policies.dsl import parse_implicit_meta, parse_policy
from privysharing.protocol.policies.signature import SignaturePolicyEvaluator
from tests.fuzz.der import pem, resigned
from tests.fuzz.material import CLIENT, ORG1, OTHER_CLIENT, PEERS, cold_config
from tests.fuzz.messages import POLICIES
from tests.fuzz.mutate import Mutator
from tests.fuzz.oracle import check_told, require
from tests.support.authorities import msp_config

CERTIFICATES = tuple(
    decode_pem(ORG1.holder(*who).pem) or b"" for who in (("alice", "client"), ("peer0", "peer"), ("admin", "admin"))
)
LIST = decode_pem(ORG1.ca.revoke(5, 6)) or b""


class Certifying:
    """DER of certificates that an authority has signed again, whatever is in them. The first byte: how it is used."""

    name = "certificates"

    def __init__(self) -> None:
        self._config = msp_config(ORG1.msp_id, ORG1.ca)
        self._manager = MspManager([Msp(self._config)])

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        use = chance.choice(b"iiiiiircn")
        der = LIST if use == ord("r") else chance.choice(CERTIFICATES)
        return bytes((use,)) + resigned(chance, mutator, der, ORG1.ca.key)

    def feed(self, raw: bytes) -> str:
        use, der = raw[:1], raw[1:]
        if use == b"r":
            changed = replace(self._config, revocation_list=(der,))
        elif use == b"c":
            changed = replace(self._config, intermediate_certs=(pem(der),))
        elif use == b"n":
            changed = replace(self._config, admins=(pem(der),))
        else:
            return self._identity(encode_serialized_identity(ORG1.msp_id, pem(der)))
        try:
            msp = Msp(parse_msp_config(encode_msp_config(changed)))
            msp.identity(CLIENT.certificate_pem, CLIENT.serialized)
        except ProtocolError as refusal:
            check_told(str(refusal))
            return f"{use.decode()} refused"
        return f"{use.decode()} taken"

    def _identity(self, serialized: bytes) -> str:
        try:
            identity = self._manager.deserialize(serialized)
        except ProtocolError as refusal:
            check_told(str(refusal))
            return "nobody"
        require(not identity.verify(b"message", CLIENT.sign(b"another message")), "a signature of something else")
        for role in MspRole:
            self._manager.satisfies(identity, RolePrincipal(ORG1.msp_id, role))
        return "fault" if identity.fault else "member"


class Deciding:
    """Policies, as bytes (first byte 0), in the policy language (1), as ImplicitMeta text (2)."""

    name = "policies"

    def __init__(self) -> None:
        config = cold_config()
        self._msps = config.msps
        signers: Sequence[SigningIdentity] = (PEERS[0], PEERS[1], CLIENT, OTHER_CLIENT)
        self._identities: list[Identity] = [config.msps.identity(signer.serialized) for signer in signers]

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        form, text = chance.choice((0, 0, 0, 1, 2)), chance.choice(POLICIES)
        if form == 0:
            raw = encode_signature_policy(parse_policy(text))
            for _ in range(chance.choice((1, 1, 2, 4))):
                raw = mutator.spoil(raw)
        else:
            raw = mutator.spoil_bytes(text.encode() if form == 1 else b"MAJORITY Endorsement")
        return bytes((form,)) + raw

    def feed(self, raw: bytes) -> str:
        try:
            if raw[:1] == b"\2":
                parse_implicit_meta(raw[1:].decode(errors="replace"))
                return "read"
            read = (
                parse_signature_policy if raw[:1] == b"\0" else lambda text: parse_policy(text.decode(errors="replace"))
            )
            policy = read(raw[1:])
            evaluator = SignaturePolicyEvaluator(policy, self._msps)
        except ProtocolError as refusal:
            check_told(str(refusal)[:2000])
            return "refused"
        met = evaluator.evaluate(self._identities)
        twin = SignaturePolicyEvaluator(policy, self._msps)
        require(twin.evaluate(self._identities) == met, "one policy decides in two ways")
        return f"met {met}"
