"""Runs in a client's pod: submits until it is told to stop, then asks every peer for all that was acknowledged.

Prints a line of JSON for each acknowledgement, and one for the end. Acknowledged is what a peer has told the client to
be committed; what it has not learnt yet it submits again, until it knows.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from pathlib import Path

from deploy.manifest import Network
from deploy.wallets import network_wallet
from privysharing.rpc.errors import NodeError
from privysharing.sdk import Call, Channel, connect
from privysharing.sdk.errors import CommitUnknown, SdkError, Unavailable
from privysharing.sdk.profile import Node
from services.client.network.identities import profile_of

CONTRACT = "privysharing"
AT_ONCE = 4
PAUSE_S = 0.1
LEARNING_SECONDS_MAX = 120.0
PAGE = "100"


class Load:
    """One person's assets on one channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = itertools.count()
        self._mark = f"{time.time_ns():x}"
        self.acknowledged: set[str] = set()
        self.failures: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Submit until `stop`."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._submit(stop))

    async def _submit(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            name = f"{self._mark}-{next(self._numbers)}"
            try:
                await self._channel.submit(Call(CONTRACT, "CreateAsset", ("heart_rate", name, "plain", "")))
                self._acknowledge(name)
            except CommitUnknown as unknown:
                await self._learn(name, unknown)
            except (SdkError, NodeError) as error:
                self._failed(error)
            await asyncio.sleep(PAUSE_S)

    async def _learn(self, name: str, unknown: CommitUnknown) -> None:
        pending, deadline = unknown.pending, time.monotonic() + LEARNING_SECONDS_MAX
        assert pending is not None
        while True:
            try:
                await self._channel.resubmit(pending)
                self._acknowledge(name)
                return
            except (Unavailable, CommitUnknown, NodeError) as error:
                self._failed(error)
                if time.monotonic() > deadline:
                    raise
            except SdkError as error:  # its verdict: invalid
                self._failed(error)
                return
            await asyncio.sleep(1)

    def _acknowledge(self, name: str) -> None:
        self.acknowledged.add(name)
        say({"acknowledged": len(self.acknowledged)})

    def _failed(self, error: Exception) -> None:
        kind = type(error).__name__
        self.failures[kind] = self.failures.get(kind, 0) + 1

    async def missing(self, peer: Node) -> list[str]:
        """What was acknowledged and this peer does not have."""
        found: set[str] = set()
        bookmark = ""
        while True:
            page = json.loads(await self._channel.evaluate(Call(CONTRACT, "ListMyAssets", (bookmark, PAGE)), [peer]))
            found |= {item["id"].rpartition("/")[2] for item in page["items"]}
            bookmark = page["bookmark"]
            if not bookmark:
                return sorted(self.acknowledged - found)


def say(fact: dict[str, object]) -> None:
    """A line for whoever started this."""
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """`load.py ORGANISATION USER CHANNEL`."""
    organisation, user, name = sys.argv[1:]
    network = Network.load(Path(os.environ["PRIVY_NETWORK"]))
    identity = network_wallet(network).get(user).signing_identity()
    async with connect(profile_of(network, organisation), identity) as connection:
        load = Load(connection.channel(name))
        stop = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
        await load.run(stop)
        asyncio.get_running_loop().remove_reader(sys.stdin)
        endorsers = connection.channel(name).nodes.endorsers
        missing = {peer.name: await load.missing(peer) for peer in endorsers}
    say({"end": {"acknowledged": len(load.acknowledged), "missing": missing, "failures": load.failures}})


if __name__ == "__main__":
    asyncio.run(main())
