"""Runs in a client's pod: adds readings until it is told to stop, then asks every endorsing peer for all of them.

Prints a line of JSON for each acknowledgement, and one for the end. Acknowledged is what a peer has told the client to
be committed; what it has not learnt yet it submits again, until it knows. Every other reading is a private one.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from deploy.manifest import Network
from deploy.wallets import network_wallet
from privysharing.contract.critical import CRITICAL
from privysharing.contract.private_readings import TRANSIENT
from privysharing.rpc.errors import NodeError
from privysharing.sdk import Call, Contract, connect
from privysharing.sdk.errors import CommitUnknown, Refused, SdkError, Unavailable
from privysharing.sdk.profile import Node
from services.client.network.identities import profile_of

CONTRACT = "privysharing"
AT_ONCE = 4
PAUSE_S = 0.1
LEARNING_SECONDS_MAX = 120.0
SETTLING_SECONDS_MAX = 120.0  # a peer that was away fetches private values from its fellows
PAGE = "100"


@dataclass(frozen=True, slots=True)
class Found:
    """What a peer has of one asset, beside what was acknowledged. All of it is empty where nothing went wrong."""

    missing: list[int]
    doubled: list[int]
    unacknowledged: list[int]  # committed, though the client was told that it is not

    @classmethod
    def judge(cls, acknowledged: Iterable[int], values: Iterable[int]) -> Self:
        """By the values as they were submitted, each once, and as they are read."""
        wanted, counts = set(acknowledged), Counter(values)
        return cls(
            missing=sorted(wanted - set(counts)),
            doubled=sorted(value for value, count in counts.items() if count > 1),
            unacknowledged=sorted(set(counts) - wanted),
        )

    @property
    def well(self) -> bool:
        """Whether everything is there, once, and nothing else."""
        return not (self.missing or self.doubled or self.unacknowledged)


class Asset:
    """One asset, the readings that were acknowledged, and how both are asked for."""

    def __init__(self, contract: Contract, owner: str, name: str, level: str) -> None:
        self._contract = contract
        self._collections = (CRITICAL,) if level == "private" else ()
        self.level = level
        self.creation = Call(CONTRACT, "CreateAsset", ("heart_rate", name, level, ""))
        self._id = f"{owner}/{name}"
        self.acknowledged: list[int] = []

    def adding(self, value: int) -> Call:
        """The call that adds a reading."""
        reading = {"value": value, "unit": "bpm"}
        if not self._collections:
            return Call(CONTRACT, "AddReadings", (self._id, json.dumps([reading])))
        transient = {TRANSIENT: self._contract.salted(reading)}
        return Call(CONTRACT, "AddPrivateReadings", (self._id,), transient, self._collections)

    def held_by(self, peers: Iterable[Node]) -> list[Node]:
        """Those that have its values."""
        holders = self._contract.channel.nodes.collections[CONTRACT][CRITICAL].members if self._collections else None
        return [peer for peer in peers if holders is None or peer.msp_id in holders]

    async def found(self, peer: Node) -> Found:
        """What a peer has of it, once that is everything or the time is over."""
        deadline = time.monotonic() + SETTLING_SECONDS_MAX
        while True:
            try:
                found = Found.judge(self.acknowledged, await self._values(peer))
            except (Refused, Unavailable):  # it lacks a private value
                found = Found(self.acknowledged, [], [])
            if found.well or time.monotonic() > deadline:
                return found
            await asyncio.sleep(1)

    async def _values(self, peer: Node) -> list[int]:
        values: list[int] = []
        bookmark = ""
        while True:
            call = Call(CONTRACT, "ReadAsset", (self._id, bookmark, PAGE), collections=self._collections)
            page = json.loads(await self._contract.channel.evaluate(call, [peer]))
            values += [reading["value"] for reading in page["readings"]]
            bookmark = page["bookmark"]
            if not bookmark:
                return values


class Load:
    """One person's readings on one channel."""

    def __init__(self, contract: Contract, owner: str) -> None:
        self._channel = contract.channel
        mark = f"{time.time_ns():x}"
        self._assets = [Asset(contract, owner, f"{mark}-{level}", level) for level in ("plain", "private")]
        self._numbers = itertools.count()
        self.failures: Counter[str] = Counter()

    @property
    def acknowledged(self) -> int:
        """How many readings."""
        return sum(len(asset.acknowledged) for asset in self._assets)

    async def run(self, stop: asyncio.Event) -> None:
        """Submit until `stop`."""
        for asset in self._assets:
            await self._channel.submit(asset.creation)
        async with asyncio.TaskGroup() as group:
            for asset, _ in itertools.product(self._assets, range(AT_ONCE // len(self._assets))):
                group.create_task(self._submit(asset, stop))

    async def _submit(self, asset: Asset, stop: asyncio.Event) -> None:
        while not stop.is_set():
            value = next(self._numbers)
            try:
                await self._channel.submit(asset.adding(value))
                self._acknowledge(asset, value)
            except CommitUnknown as unknown:
                await self._learn(asset, value, unknown)
            except (SdkError, NodeError) as error:
                self._failed(error)
            await asyncio.sleep(PAUSE_S)

    async def _learn(self, asset: Asset, value: int, unknown: CommitUnknown) -> None:
        pending, deadline = unknown.pending, time.monotonic() + LEARNING_SECONDS_MAX
        assert pending is not None
        while True:
            try:
                await self._channel.resubmit(pending)
                self._acknowledge(asset, value)
                return
            except (Unavailable, CommitUnknown, NodeError) as error:
                self._failed(error)
                if time.monotonic() > deadline:
                    raise
            except SdkError as error:  # its verdict: invalid
                self._failed(error)
                return
            await asyncio.sleep(1)

    def _acknowledge(self, asset: Asset, value: int) -> None:
        asset.acknowledged.append(value)
        say({"acknowledged": self.acknowledged})

    def _failed(self, error: Exception) -> None:
        self.failures[type(error).__name__] += 1

    async def spoilt(self) -> dict[str, Any]:
        """What is not as it was acknowledged, by asset and peer; of every peer that holds it and runs contracts."""
        found = {
            f"{asset.level} at {peer.name}": await asset.found(peer)
            for asset in self._assets
            for peer in asset.held_by(self._channel.nodes.endorsers)
        }
        return {
            "asked": sorted(found),
            "spoilt": {
                where: {"missing": each.missing, "doubled": each.doubled, "unacknowledged": each.unacknowledged}
                for where, each in found.items()
                if not each.well
            },
        }


def say(fact: dict[str, object]) -> None:
    """A line for whoever started this."""
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """`load.py ORGANISATION USER CHANNEL`."""
    organisation, user, name = sys.argv[1:]
    network = Network.load(Path(os.environ["PRIVY_NETWORK"]))
    entry = network_wallet(network).get(user)
    async with connect(profile_of(network, organisation), entry.signing_identity()) as connection:
        load = Load(connection.contract(name, CONTRACT), f"{user}@{entry.msp_id}")
        stop = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
        await load.run(stop)
        asyncio.get_running_loop().remove_reader(sys.stdin)
        say({"end": {"acknowledged": load.acknowledged, "failures": load.failures, **await load.spoilt()}})


if __name__ == "__main__":
    asyncio.run(main())
