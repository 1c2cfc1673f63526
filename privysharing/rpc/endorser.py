"""Calls of a peer's Endorser service."""

import grpc

from privysharing.protocol.codec.transactions import parse_proposal_response
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.transactions import ProposalResponse
from privysharing.rpc.errors import NodeError, node_error


class EndorserClient:
    """protos.Endorser on one peer. Messages travel as the bytes that were signed."""

    def __init__(self, node: str, channel: grpc.aio.Channel) -> None:
        self.node = node
        self._process: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/protos.Endorser/ProcessProposal"
        )

    async def process_proposal(self, signed_proposal: bytes, timeout_s: float) -> ProposalResponse:
        """The peer's answer, refusals by status included.

        Raises NodeUnavailable when the peer cannot be reached in time, NodeRefused when it turned the call down, and
        NodeError when its answer is no proposal response.
        """
        try:
            raw = await self._process(signed_proposal, timeout=timeout_s)
            return parse_proposal_response(raw)
        except grpc.aio.AioRpcError as error:
            raise node_error(self.node, error) from None
        except MalformedMessage as error:
            raise NodeError(self.node, str(error)) from None

    async def close(self) -> None:
        """Nothing is kept open between calls."""
