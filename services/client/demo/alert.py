"""The alert of a device that measures alcohol: for the medical centre and the police, and for nobody else."""

import json
from collections.abc import Mapping
from typing import Any

from deploy import manifest
from deploy.wallets import network_wallet
from privysharing.contract.critical import CRITICAL
from privysharing.sdk import Call
from privysharing.sdk.errors import ContractRefused, Refused
from privysharing.sdk.profile import Node
from services.client.demo.narrator import DENIED, Actor, Narrator, StoryBroken
from services.client.network.blocks import fetch_block

ALERT = "alcohol"
TYPE, UNIT = "blood_alcohol", "per mille"
LEVEL = 2.4
OPERATOR = "admin.citizens"  # who may read whole blocks
NOT_HELD = "private data matching public hash version is not available"


class Alert:
    """One scene, on a network that runs."""

    def __init__(self, network: manifest.Network, narrator: Narrator, actors: Mapping[str, Actor]) -> None:
        self._network = network
        self._tell = narrator
        self._alice, self._bob = actors["alice"], actors["bob"]
        self._doctor, self._officer, self._mint = actors["doctor"], actors["officer"], actors["mint"]
        self._asset = f"{self._alice.party}/{ALERT}"

    async def play(self) -> None:
        """Raises StoryBroken at the first thing that does not go as told."""
        self._tell.scene("An alert for the medical centre and the police alone")
        await self._prepare()
        value = {"value": LEVEL, "unit": UNIT}
        what = f"has an alert from her device: {LEVEL} {UNIT}"
        await self._alice.does(what, "AddPrivateReadings", self._asset, conceals=value, collections=(CRITICAL,))
        for reader in (self._doctor, self._officer):
            (reading, *_) = (await reader.asks("ReadAsset", self._asset, collections=(CRITICAL,)))["readings"]
            self._tell.expect(
                reading["value"] == LEVEL, f"the {reader.name} reads {reading['value']} {reading['unit']}"
            )
        await self._bob.is_refused("tries to read it", DENIED, "ReadAsset", self._asset, collections=(CRITICAL,))
        await self._nobody_else_has_it()
        await self._purge()

    async def _prepare(self) -> None:
        await self._alice.does(f"creates the private asset {ALERT}", "CreateAsset", TYPE, ALERT, "private")
        await self._mint.does("mints 1 PrivyCoin for the officer", "MintCoins", self._officer.party, 1, "invoice-5")
        readers = (self._doctor, self._officer)
        for reader in readers:
            coins = [coin["id"] for coin in (await reader.asks("MyCoins"))["coins"]]
            await reader.does("asks for 1 day of alerts", "FileRequest", self._asset, 1, "emergencies", coins)
        await self._alice.does(
            "shares what is to come with both", "ShareAsset", TYPE, self._asset, 1, [each.party for each in readers]
        )

    async def _nobody_else_has_it(self) -> None:
        channel = self._alice.contract.channel
        outsider = next(node for node in channel.nodes.endorsers if node.msp_id == self._alice.party.rpartition("@")[2])
        refused = await self._refusal_of(outsider)
        self._tell.expect(NOT_HELD in refused.message, f"{outsider.name} does not have it, even for Alice herself")
        (hashes,) = (await self._ask(outsider, "ReadingHashes"))["items"]
        self._tell.says(f"[bold]{outsider.name}[/bold] has its salted hash {hashes['value_hash'][:16]}, and no more")
        operator = network_wallet(self._network).get(OPERATOR)
        block = await fetch_block(self._network, operator, channel.name, str(self._alice.last_block), "orderer")
        self._tell.expect(
            bytes.fromhex(hashes["value_hash"]) in block and UNIT.encode() not in block,
            f"the orderer's block {self._alice.last_block} holds that hash, and neither value nor unit",
        )

    async def _purge(self) -> None:
        answer = await self._alice.does("deletes it", "DeleteAsset", self._asset, collections=(CRITICAL,))
        keys = [bytes.fromhex(key_hash) for key_hash in answer["purged"]]
        channel, chaincode = self._alice.contract.channel, self._alice.contract.name
        gone = await channel.purge_statements(chaincode, CRITICAL, keys)
        signed_by = " and ".join(sorted(each.peer for each in gone.stated))
        self._tell.expect(gone.complete and gone.stated, f"{signed_by} have signed that no byte of it is left")

    async def _ask(self, node: Node, function: str) -> Any:
        channel, chaincode = self._alice.contract.channel, self._alice.contract.name
        return json.loads(await channel.evaluate(Call(chaincode, function, (self._asset,)), [node]))

    async def _refusal_of(self, node: Node) -> Refused:
        """Of the peer, not of the contract's rules: Alice may read it."""
        try:
            await self._ask(node, "ReadAsset")
        except ContractRefused:
            raise
        except Refused as refused:
            return refused
        raise StoryBroken(f"{node.name}: needed a refusal, but it answered")
