"""Our messages are Fabric's, number by number.

The judge is hyperledger-fabric-protos from PyPI, built by Fabric's own release process. It registers the
same file names in the default descriptor pool, so that importing it here also proves that the two builds
live together in one process. Only what both have is compared, and what only one has is listed by name.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import fabric_protos
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor, ServiceDescriptor

import privysharing.wire

# Fabric dropped the Kafka orderer in 3.0; txmgr is internal to its peer; the rest is not Fabric's.
ONLY_OURS = {
    "google/protobuf/any.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/timestamp.proto",
    "google/rpc/status.proto",
    "grpc/health/v1/health.proto",
    "grpc/reflection/v1/reflection.proto",
    "ledger/kvledger/txmgmt/txmgr/updates.proto",
    "orderer/kafka.proto",
    "privysharing/v1/batch.proto",
    "privysharing/v1/ledger.proto",
    "privysharing/v1/orderers.proto",
    "privysharing/v1/outline.proto",
    "privysharing/v1/private_data.proto",
}
# Traffic between Raft or BFT orderers, and a deprecated twin of peer/collection.proto: nothing here speaks them.
ONLY_FABRICS = {
    "common/collection.proto",
    "orderer/cluster.proto",
    "orderer/clusterserver.proto",
    "orderer/smartbft/configuration.proto",
}


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def _files(package: ModuleType) -> dict[str, FileDescriptor]:
    return {
        module.DESCRIPTOR.name: module.DESCRIPTOR for module in _modules(package) if module.__name__.endswith("_pb2")
    }


def _stubs(package: ModuleType) -> dict[str, type]:
    """Every client stub by its path below the package, such as `peer.peer_pb2_grpc.EndorserStub`."""
    return {
        f"{module.__name__.removeprefix(package.__name__ + '.')}.{name}": value
        for module in _modules(package)
        if module.__name__.endswith("_pb2_grpc")
        for name, value in vars(module).items()
        if name.endswith("Stub")
    }


OURS = _files(privysharing.wire)
FABRICS = _files(fabric_protos)
BOTH = sorted(OURS.keys() & FABRICS.keys())
OUR_STUBS = _stubs(privysharing.wire)
FABRICS_STUBS = _stubs(fabric_protos)


def _field(field: FieldDescriptor, label: int) -> dict[str, object]:
    kind = field.message_type or field.enum_type
    return {
        "number": field.number,
        "type": field.type,
        "of": kind.full_name if kind else None,
        "label": label,
        "packed": field.is_packed,
        "presence": field.has_presence,
        "json name": field.json_name,
        "oneof": field.containing_oneof.name if field.containing_oneof else None,
    }


def _message(message: Descriptor) -> dict[str, object]:
    proto = descriptor_pb2.DescriptorProto()
    message.CopyToProto(proto)
    labels = {field.name: field.label for field in proto.field}
    facts: dict[str, object] = {
        f"{message.full_name}.{field.name}": _field(field, labels[field.name]) for field in message.fields
    }
    facts[f"{message.full_name} reserved"] = _reserved(proto)
    facts[f"{message.full_name} map entry"] = message.GetOptions().map_entry
    for nested in message.nested_types:
        facts |= _message(nested)
    for enum in message.enum_types:
        facts |= _enum(enum)
    return facts


def _reserved(proto: descriptor_pb2.DescriptorProto | descriptor_pb2.EnumDescriptorProto) -> object:
    return [(gap.start, gap.end) for gap in proto.reserved_range], list(proto.reserved_name)


def _enum(enum: EnumDescriptor) -> dict[str, object]:
    proto = descriptor_pb2.EnumDescriptorProto()
    enum.CopyToProto(proto)
    facts: dict[str, object] = {f"{enum.full_name}.{value.name}": value.number for value in enum.values}
    facts[f"{enum.full_name} reserved"] = _reserved(proto)
    return facts


def _service(service: ServiceDescriptor) -> dict[str, object]:
    return {
        f"/{service.full_name}/{method.name}": {
            "input": method.input_type.full_name,
            "output": method.output_type.full_name,
            "streams requests": method.client_streaming,
            "streams answers": method.server_streaming,
        }
        for method in service.methods
    }


def _facts(file: FileDescriptor) -> dict[str, object]:
    facts: dict[str, object] = {"package": file.package, "imports": sorted(i.name for i in file.dependencies)}
    for message in file.message_types_by_name.values():
        facts |= _message(message)
    for enum in file.enum_types_by_name.values():
        facts |= _enum(enum)
    for service in file.services_by_name.values():
        facts |= _service(service)
    return facts


class _RecordingChannel:
    """Notes the method paths that a stub asks for."""

    def __init__(self) -> None:
        self.methods: dict[str, str] = {}

    def __getattr__(self, kind: str) -> object:
        def multi_callable(path: str, **_: object) -> None:
            self.methods[path] = kind

        return multi_callable


def _methods(stub: type) -> dict[str, str]:
    channel = _RecordingChannel()
    stub(channel)
    return channel.methods


def test_every_file_of_fabric_is_here_or_left_out_by_name() -> None:
    assert OURS.keys() - FABRICS.keys() == ONLY_OURS
    assert FABRICS.keys() - OURS.keys() == ONLY_FABRICS


@pytest.mark.parametrize("name", BOTH)
def test_messages_enums_and_services_of_a_file_are_fabrics(name: str) -> None:
    assert _facts(OURS[name]) == _facts(FABRICS[name])


@pytest.mark.parametrize("name", sorted(OUR_STUBS.keys() & FABRICS_STUBS.keys()))
def test_a_stub_calls_the_same_paths_in_the_same_streaming_kind(name: str) -> None:
    assert _methods(OUR_STUBS[name]) == _methods(FABRICS_STUBS[name])


def test_the_services_of_fabric_that_clients_and_chaincodes_use_are_all_compared() -> None:
    paths = {path for name in OUR_STUBS.keys() & FABRICS_STUBS.keys() for path in _methods(OUR_STUBS[name])}
    assert {path.rsplit("/", 1)[0] for path in paths} == {
        "/discovery.Discovery",
        "/gateway.Gateway",
        "/gossip.Gossip",
        "/orderer.AtomicBroadcast",
        "/protos.Chaincode",
        "/protos.ChaincodeSupport",
        "/protos.Deliver",
        "/protos.Endorser",
        "/protos.Snapshot",
    }
