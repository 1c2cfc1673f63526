"""What every gRPC server says of itself: whether it is well, and, where configured, which services it offers.

Purpose: gRPC's own protocols for it (grpc.health.v1, grpc.reflection), so that probes, load balancers and tools such as
grpcurl need nothing of ours. Both behind the server's TLS, its client certificates and its limits, like every call.
Not here: why a node is not well, which `/healthz` on the operations port says to operators.
"""

from collections.abc import Callable, Sequence

import grpc

from services.runtime.rpc.health import Health
from services.runtime.rpc.reflection import Reflection


def offer(
    server: grpc.aio.Server,
    handlers: Sequence[grpc.GenericRpcHandler],
    illness: Callable[[], str | None],
    *,
    reflection: bool,
) -> Health:
    """Give a server its services, and those that tell of them. `illness`: why the node is not well."""
    names = [handler.service_name() for handler in handlers if isinstance(handler, grpc.ServiceRpcHandler)]
    assert len(names) == len(handlers), "every service has a name"
    health = Health(names, illness)
    server.add_generic_rpc_handlers((*handlers, health.handler()))
    if reflection:
        server.add_generic_rpc_handlers(Reflection([*names, Health.SERVICE]).handlers())
    return health
