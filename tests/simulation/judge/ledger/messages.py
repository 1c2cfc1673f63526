"""Fabric's messages, from the published package: a descriptor pool and generated code apart from ours."""

from importlib import import_module
from typing import Any

from google.protobuf.message import DecodeError

# The package's classes are made when it is imported: there is nothing for a type checker to find.
common: Any = import_module("fabric_protos.common.common_pb2")
configtx: Any = import_module("fabric_protos.common.configtx_pb2")
policies: Any = import_module("fabric_protos.common.policies_pb2")
kvrwset: Any = import_module("fabric_protos.ledger.rwset.kvrwset.kv_rwset_pb2")
rwset: Any = import_module("fabric_protos.ledger.rwset.rwset_pb2")
identities: Any = import_module("fabric_protos.msp.identities_pb2")
msp_config: Any = import_module("fabric_protos.msp.msp_config_pb2")
principals: Any = import_module("fabric_protos.msp.msp_principal_pb2")
ordering: Any = import_module("fabric_protos.orderer.configuration_pb2")
chaincode: Any = import_module("fabric_protos.peer.chaincode_pb2")
chaincode_event: Any = import_module("fabric_protos.peer.chaincode_event_pb2")
collections: Any = import_module("fabric_protos.peer.collection_pb2")
definitions: Any = import_module("fabric_protos.peer.lifecycle.chaincode_definition_pb2")
lifecycle_state: Any = import_module("fabric_protos.peer.lifecycle.db_pb2")
peer_policy: Any = import_module("fabric_protos.peer.policy_pb2")
proposals: Any = import_module("fabric_protos.peer.proposal_pb2")
responses: Any = import_module("fabric_protos.peer.proposal_response_pb2")
transactions: Any = import_module("fabric_protos.peer.transaction_pb2")


class Unreadable(Exception):
    """Bytes that are not the message they should be."""


def read(kind: Any, raw: bytes) -> Any:
    """A message of this kind. Raises Unreadable."""
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise Unreadable(f"not a {kind.DESCRIPTOR.full_name}") from error
