"""What a call to a node can end in, besides an answer."""

import grpc

_UNREACHABLE = frozenset((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED))
# gRPC core's own, of a call that no connection was there for. To miss it is safe: the call counts as sent.
_NOT_CONNECTED = "failed to connect to all addresses"
_WRITE_FAILED = "Internal error from Core"  # grpc.aio's own: the stream ended under a write, before its status was read


class NodeError(Exception):
    """A call to a node that brought no answer. `node` names it; `sent`: the node may have got it all the same."""

    def __init__(self, node: str, reason: str, *, sent: bool = True) -> None:
        super().__init__(f"{node}: {reason}")
        self.node = node
        self.reason = reason
        self.sent = sent


class NodeUnavailable(NodeError):
    """The node cannot be reached, or did not answer in time: another one may."""


class NodeRefused(NodeError):
    """The node turned the call down; it would do so again."""

    def __init__(self, node: str, code: grpc.StatusCode, reason: str, *, sent: bool = True) -> None:
        super().__init__(node, reason, sent=sent)
        self.code = code


def node_error(node: str, error: grpc.aio.AioRpcError) -> NodeError:
    """The error of this room for one of gRPC's."""
    reason = error.details() or error.code().name
    if reason == _WRITE_FAILED:
        return NodeUnavailable(node, reason)
    return failure(node, error.code(), reason)


def failure(node: str, code: grpc.StatusCode, reason: str) -> NodeError:
    """The error of this room for a gRPC status."""
    if code in _UNREACHABLE:
        return NodeUnavailable(node, reason, sent=not reason.startswith(_NOT_CONNECTED))
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" not in reason:
        return NodeUnavailable(node, reason)
    return NodeRefused(node, code, reason)
