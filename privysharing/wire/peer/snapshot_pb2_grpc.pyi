from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.google.protobuf.empty_pb2 as google_protobuf_empty_pb2
import privysharing.wire.peer.snapshot_pb2 as peer_snapshot_pb2

class SnapshotStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Generate: grpc.aio.UnaryUnaryMultiCallable[peer_snapshot_pb2.SignedSnapshotRequest, google_protobuf_empty_pb2.Empty]
    Cancel: grpc.aio.UnaryUnaryMultiCallable[peer_snapshot_pb2.SignedSnapshotRequest, google_protobuf_empty_pb2.Empty]
    QueryPendings: grpc.aio.UnaryUnaryMultiCallable[peer_snapshot_pb2.SignedSnapshotRequest, peer_snapshot_pb2.QueryPendingSnapshotsResponse]

class SnapshotServicer:
    def Generate(self, request: peer_snapshot_pb2.SignedSnapshotRequest, context: grpc.aio.ServicerContext[peer_snapshot_pb2.SignedSnapshotRequest, google_protobuf_empty_pb2.Empty]) -> Awaitable[google_protobuf_empty_pb2.Empty]: ...
    def Cancel(self, request: peer_snapshot_pb2.SignedSnapshotRequest, context: grpc.aio.ServicerContext[peer_snapshot_pb2.SignedSnapshotRequest, google_protobuf_empty_pb2.Empty]) -> Awaitable[google_protobuf_empty_pb2.Empty]: ...
    def QueryPendings(self, request: peer_snapshot_pb2.SignedSnapshotRequest, context: grpc.aio.ServicerContext[peer_snapshot_pb2.SignedSnapshotRequest, peer_snapshot_pb2.QueryPendingSnapshotsResponse]) -> Awaitable[peer_snapshot_pb2.QueryPendingSnapshotsResponse]: ...

def add_SnapshotServicer_to_server(servicer: SnapshotServicer, server: grpc.aio.Server) -> None: ...
