"""The MSPs of a channel that a real Fabric network ran, and whoever signed on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from privysharing.protocol.codec.msps import encode_msp_config, parse_msp_config
from privysharing.protocol.codec.policies import encode_channel_policy, parse_channel_policy
from privysharing.protocol.msp.certificates import parse_certificate
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.msp.principals import MspRole, RolePrincipal
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.policies import SignaturePolicy, SignaturePolicyEvaluator
from privysharing.wire.common import common_pb2, configtx_pb2
from privysharing.wire.peer import transaction_pb2

VECTORS = Path(__file__).parents[3] / "interop" / "vectors"
CHAINS = {"blk": 4, "pblk": 6}  # as an orderer delivered them, and as a peer kept them


def payloads(name: str) -> Iterator[tuple[common_pb2.Payload, common_pb2.Envelope]]:
    block = common_pb2.Block.FromString((VECTORS / name).read_bytes())
    for raw in block.data.data:
        envelope = common_pb2.Envelope.FromString(raw)
        yield common_pb2.Payload.FromString(envelope.payload), envelope


def groups(chain: str) -> Iterator[configtx_pb2.ConfigGroup]:
    """Every group of the channel's configuration."""
    (payload, _), *_ = payloads(f"{chain}0.block")
    waiting = [configtx_pb2.ConfigEnvelope.FromString(payload.data).config.channel_group]
    while waiting:
        group = waiting.pop()
        waiting.extend(group.groups.values())
        yield group


def manager(chain: str) -> MspManager:
    configs = (parse_msp_config(group.values["MSP"].value) for group in groups(chain) if "MSP" in group.values)
    return MspManager(map(Msp, configs))


def endorsements(payload: common_pb2.Payload) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Each endorser, what it signed, and its signature."""
    for action in transaction_pb2.Transaction.FromString(payload.data).actions:
        endorsed = transaction_pb2.ChaincodeActionPayload.FromString(action.payload).action
        for each in endorsed.endorsements:
            yield each.endorser, endorsed.proposal_response_payload + each.endorser, each.signature


@pytest.mark.parametrize("chain", CHAINS)
def test_its_msps_and_policies_are_byte_for_byte_what_they_were_after_reading_and_writing(chain: str) -> None:
    for group in groups(chain):
        for policy in group.policies.values():
            parsed = parse_channel_policy(policy.policy.type, policy.policy.value)
            assert encode_channel_policy(parsed) == (policy.policy.type, policy.policy.value)
        if "MSP" in group.values:
            assert encode_msp_config(parse_msp_config(group.values["MSP"].value)) == group.values["MSP"].value
    assert set(manager(chain).msp_ids) == {"OrdererMSP", "Org1MSP", "Org2MSP"}


@pytest.mark.parametrize("chain", CHAINS)
def test_its_creators_and_endorsers_are_valid_and_signed(chain: str) -> None:
    msps = manager(chain)
    for number in range(1, CHAINS[chain]):
        for payload, envelope in payloads(f"{chain}{number}.block"):
            header = common_pb2.SignatureHeader.FromString(payload.header.signature_header)
            creator = msps.identity(header.creator)
            assert creator.verify(envelope.payload, envelope.signature)
            assert not creator.verify(envelope.payload + b".", envelope.signature)
            signers = list(endorsements(payload))
            assert signers
            for endorser, message, signature in signers:
                identity = msps.identity(endorser)
                assert identity.verify(message, signature)
                assert msps.satisfies(identity, RolePrincipal(identity.msp_id, MspRole.PEER))
                assert not msps.satisfies(creator, RolePrincipal(creator.msp_id, MspRole.PEER))


def test_its_endorsements_meet_its_endorsement_policy_and_its_creators_do_not() -> None:
    msps = manager("blk")
    value = next(
        group.policies["Endorsement"].policy
        for group in groups("blk")
        if "Capabilities" in group.values and "Endorsement" in group.policies
    )
    policy = parse_channel_policy(value.type, value.value)
    assert isinstance(policy, SignaturePolicy)
    evaluator = SignaturePolicyEvaluator(policy, msps)
    (payload, _), *_ = payloads("blk1.block")
    creator = msps.identity(common_pb2.SignatureHeader.FromString(payload.header.signature_header).creator)
    assert evaluator.evaluate([msps.identity(endorser) for endorser, _, _ in endorsements(payload)])
    assert not evaluator.evaluate([creator])


def test_its_orderer_signed_its_blocks() -> None:
    msps = manager("blk")
    block = common_pb2.Block.FromString((VECTORS / "blk1.block").read_bytes())
    metadata = common_pb2.Metadata.FromString(block.metadata.metadata[0])
    header = common_pb2.SignatureHeader.FromString(metadata.signatures[0].signature_header)
    orderer = msps.identity(header.creator)
    assert orderer.roles == {MspRole.MEMBER, MspRole.ORDERER}


def test_no_ca_of_it_is_an_identity() -> None:
    msps = manager("blk")
    config = next(parse_msp_config(g.values["MSP"].value) for g in groups("blk") if "MSP" in g.values)
    assert parse_certificate(config.root_certs[0])
    with pytest.raises(InvalidIdentity):
        msps.msp(config.name).identity(config.root_certs[0], b"")
