from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.peer.proposal_pb2 as peer_proposal_pb2
import privysharing.wire.peer.proposal_response_pb2 as peer_proposal_response_pb2

class EndorserStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    ProcessProposal: grpc.aio.UnaryUnaryMultiCallable[peer_proposal_pb2.SignedProposal, peer_proposal_response_pb2.ProposalResponse]

class EndorserServicer:
    def ProcessProposal(self, request: peer_proposal_pb2.SignedProposal, context: grpc.aio.ServicerContext[peer_proposal_pb2.SignedProposal, peer_proposal_response_pb2.ProposalResponse]) -> Awaitable[peer_proposal_response_pb2.ProposalResponse]: ...

def add_EndorserServicer_to_server(servicer: EndorserServicer, server: grpc.aio.Server) -> None: ...
