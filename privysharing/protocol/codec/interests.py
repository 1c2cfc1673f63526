"""protos.ChaincodeInterest."""

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.interests import ChaincodeCall, ChaincodeInterest
from privysharing.wire.common import policies_pb2
from privysharing.wire.peer import proposal_response_pb2


def encode_interest(interest: ChaincodeInterest) -> bytes:
    """A chaincode interest. MalformedMessage when a key's policy is none."""
    calls = [
        proposal_response_pb2.ChaincodeCall(
            name=call.name,
            collection_names=call.collections,
            no_private_reads=call.no_private_reads,
            key_policies=[decode(policies_pb2.SignaturePolicyEnvelope, policy) for policy in call.key_policies],
            disregard_namespace_policy=call.disregard_namespace_policy,
        )
        for call in interest.calls
    ]
    return proposal_response_pb2.ChaincodeInterest(chaincodes=calls).SerializeToString()


def parse_interest(raw: bytes) -> ChaincodeInterest:
    """Read a chaincode interest."""
    message = decode(proposal_response_pb2.ChaincodeInterest, raw)
    return ChaincodeInterest(
        tuple(
            ChaincodeCall(
                call.name,
                tuple(call.collection_names),
                call.no_private_reads,
                tuple(policy.SerializeToString() for policy in call.key_policies),
                call.disregard_namespace_policy,
            )
            for call in message.chaincodes
        )
    )
