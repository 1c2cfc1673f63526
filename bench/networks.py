"""A network of processes of this machine, made for a measurement and gone after it."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.generate import generate
from deploy.ordering import Wish
from deploy.topology import Topology, load_topology
from deploy.wallets import fill_wallet
from services.client.network.contracts import bring_up
from services.client.network.processes import Processes
from services.client.network.status import network_status

ORDERERS_OF = "ordering4"
_AGREE_SECONDS_MAX = 10.0
_AGREE_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """How a workload's network is ordered: as it is described, or otherwise; by how many orderers."""

    ordering: Wish = Wish()
    orderers: int = 1

    def of(self, topology: str) -> Topology:
        """A described network, so ordered."""
        described = load_topology(topology).ordered(self.ordering)
        if self.orderers == 1:
            return described
        return replace(described, orderers=load_topology(ORDERERS_OF).orderers[: self.orderers])


@contextlib.asynccontextmanager
async def network_of(topology: Topology) -> AsyncIterator[Processes]:
    """Generated, started, serving, with its contracts defined; its nodes end with this process at the latest."""
    folder = Path(tempfile.mkdtemp(prefix="privysharing-bench-"))
    try:
        network = generate(topology, folder)
        fill_wallet(network)
        processes = Processes(network, stop_with=os.getpid())
        try:
            await bring_up(processes)
            yield processes
        finally:
            processes.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def peers_agree(processes: Processes) -> bool:
    """Whether all peers of each channel come to one height and commit hash within some seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _AGREE_SECONDS_MAX
    while loop.time() < deadline:
        _, ledgers = await network_status(processes.network, processes)
        tips = {(row["channel"], row["height"], row["commit_hash"]) for row in ledgers}
        if len(tips) == len(processes.network.channels):
            return all(row["commit_hash"] for row in ledgers)
        await asyncio.sleep(_AGREE_INTERVAL_S)
    return False
