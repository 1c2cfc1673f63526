"""protos.ChaincodeInterest."""

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.interests import ChaincodeCall, ChaincodeInterest
from privysharing.wire.common import policies_pb2
from privysharing.wire.peer import proposal_response_pb2


def encode_interest(interest: ChaincodeInterest) -> bytes:
    """A chaincode interest. MalformedMessage when a key's policy is none."""
    message = proposal_response_pb2.ChaincodeInterest()
    for call in interest.calls:
        one = message.chaincodes.add()
        one.name = call.name
        one.collection_names.extend(call.collections)
        one.no_private_reads = call.no_private_reads
        one.key_policies.extend(decode(policies_pb2.SignaturePolicyEnvelope, policy) for policy in call.key_policies)
        one.disregard_namespace_policy = call.disregard_namespace_policy
    return message.SerializeToString()


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
