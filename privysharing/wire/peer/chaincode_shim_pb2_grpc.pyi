from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.peer.chaincode_shim_pb2 as peer_chaincode_shim_pb2

class ChaincodeSupportStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Register: grpc.aio.StreamStreamMultiCallable[peer_chaincode_shim_pb2.ChaincodeMessage, peer_chaincode_shim_pb2.ChaincodeMessage]

class ChaincodeSupportServicer:
    def Register(self, request_iterator: AsyncIterator[peer_chaincode_shim_pb2.ChaincodeMessage], context: grpc.aio.ServicerContext[peer_chaincode_shim_pb2.ChaincodeMessage, peer_chaincode_shim_pb2.ChaincodeMessage]) -> AsyncIterator[peer_chaincode_shim_pb2.ChaincodeMessage]: ...

def add_ChaincodeSupportServicer_to_server(servicer: ChaincodeSupportServicer, server: grpc.aio.Server) -> None: ...

class ChaincodeStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Connect: grpc.aio.StreamStreamMultiCallable[peer_chaincode_shim_pb2.ChaincodeMessage, peer_chaincode_shim_pb2.ChaincodeMessage]

class ChaincodeServicer:
    def Connect(self, request_iterator: AsyncIterator[peer_chaincode_shim_pb2.ChaincodeMessage], context: grpc.aio.ServicerContext[peer_chaincode_shim_pb2.ChaincodeMessage, peer_chaincode_shim_pb2.ChaincodeMessage]) -> AsyncIterator[peer_chaincode_shim_pb2.ChaincodeMessage]: ...

def add_ChaincodeServicer_to_server(servicer: ChaincodeServicer, server: grpc.aio.Server) -> None: ...
