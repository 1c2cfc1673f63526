"""What it means when nobody answers: on a network of this machine, most often that its nodes do not run."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.manifest import Network
from deploy.ports import HOST
from privysharing.rpc.errors import NodeUnavailable
from privysharing.sdk.errors import Unavailable
from services.client.network.processes import Processes


class NotRunning(Unavailable):
    """Nodes that a call needs have no process."""


@contextmanager
def reaching(network: Network) -> Iterator[None]:
    """Around calls to a network: when nobody answers because nodes do not run, NotRunning says so instead."""
    try:
        yield
    except (Unavailable, NodeUnavailable):
        if not all(node.address.startswith(f"{HOST}:") for node in network.nodes):
            raise  # who runs them is not known here
        running = Processes(network).pids()
        absent = [node.name for node in network.nodes if node.name not in running]
        if not absent:
            raise
        who = f"{', '.join(absent)} of the network in" if running else "the network in"
        verb = "are" if running and len(absent) > 1 else "is"
        raise NotRunning(
            f"{who} {network.folder} {verb} not running; start it with: privy network up --network {network.folder}"
        ) from None
