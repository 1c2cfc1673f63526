"""What a simulation touched, in the terms of whoever has to find endorsers for it."""

from privysharing.protocol.values import value


@value
class ChaincodeCall:
    """protos.ChaincodeCall: one chaincode whose endorsement policy matters, or its keys' own policies."""

    name: str
    collections: tuple[str, ...] = ()
    no_private_reads: bool = False
    key_policies: tuple[bytes, ...] = ()  # common.SignaturePolicyEnvelope
    disregard_namespace_policy: bool = False


@value
class ChaincodeInterest:
    """protos.ChaincodeInterest."""

    calls: tuple[ChaincodeCall, ...] = ()
