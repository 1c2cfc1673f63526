"""One day of Alice's, scene by scene."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

from deploy import manifest
from deploy.wallets import network_wallet
from privysharing.chaincode.identity import client_identity
from privysharing.contract.settings import DAY_SECONDS_DEFAULT
from privysharing.sdk import Network, connect
from privysharing.sdk.commits import CommitListener
from services.client.demo.alert import Alert
from services.client.demo.narrator import DENIED, Actor, Narrator, StoryBroken
from services.client.demo.recordings import SOURCE, heart_rates
from services.client.network.identities import profile_of
from services.client.network.status import ledger_rows

CHANNEL, CONTRACT = "health", "privysharing"
PULSE = "pulse"
DAY_SECONDS = 4  # on this network a paid day lasts so long, that the audience can see one end


class Story:
    """The people of the story, connected to a network that runs."""

    def __init__(self, network: manifest.Network, narrator: Narrator) -> None:
        self._network = network
        self._tell = narrator
        self._actors: dict[str, Actor] = {}
        self._peers: list[CommitListener] = []

    async def play(self) -> None:
        """Every scene. Raises StoryBroken, or an error of the SDK, at the first thing that does not go as told."""
        async with contextlib.AsyncExitStack() as connections:
            self._peers = await self._listen(connections)
            for label in ("alice", "bob", "doctor", "insurer", "officer", "mint", "admin.ministry"):
                self._actors[label] = await self._connect(label, connections)
            await self._create()
            await self._stranger()
            await self._request_and_pay()
            await self._share_and_read()
            await self._only_the_owner_shares()
            await self._too_few_coins()
            await self._lapse()
            await self._revoke()
            await Alert(self._network, self._tell, self._actors).play()
            await self._delete()
            await self._agree()

    async def _create(self) -> None:
        self._tell.scene("Alice owns her data")
        ministry, alice = self._actors["admin.ministry"], self._actors["alice"]
        await self._need_unused()
        await alice.does(f"creates the asset {PULSE}", "CreateAsset", "heart_rate", PULSE)
        await ministry.does(
            f"lets a paid day last {DAY_SECONDS} seconds here", "ConfigureChannel", {"day_seconds": DAY_SECONDS}
        )
        began = datetime.now(UTC) - timedelta(minutes=5)
        rates = heart_rates()
        readings = [
            {
                "value": rate.bpm,
                "unit": "bpm",
                "time": (began + timedelta(seconds=rate.at_s)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            for rate in rates
        ]
        await alice.does(f"stores {len(readings)} readings of her watch", "AddReadings", self._pulse, readings)
        self._tell.says(f"[dim]recording: {SOURCE}[/dim]")
        self._tell.says(
            f"{self._tell.curve([r.bpm for r in rates])}  {min(r.bpm for r in rates)}-{max(r.bpm for r in rates)} bpm"
        )

    async def _need_unused(self) -> None:
        """The story counts coins and assets from none on. Where there are some, it changes nothing."""
        minted = (await self._actors["mint"].asks("AuditCoins"))["minted"]
        assets = (await self._actors["alice"].asks("ListMyAssets"))["items"]
        if minted or assets:
            found = f"{minted} minted coins, {len(assets)} assets of Alice's"
            raise StoryBroken(f"needed: a network that nobody has used yet; found: {found}")

    async def _stranger(self) -> None:
        self._tell.scene("Nobody else sees it")
        await self._actors["bob"].is_refused("tries to read it", DENIED, "ReadAsset", self._pulse)
        await self._actors["doctor"].is_refused("tries too, without a grant", DENIED, "ReadAsset", self._pulse)

    async def _request_and_pay(self) -> None:
        self._tell.scene("A doctor asks, and sets the payment aside")
        doctor, mint = self._actors["doctor"], self._actors["mint"]
        await mint.does("mints 5 PrivyCoins for the doctor", "MintCoins", doctor.party, 5, "invoice-1")
        await doctor.is_refused("tries to mint more", DENIED, "MintCoins", doctor.party, 5, "invoice-2", submit=True)
        coins = await self._coins(doctor)
        await doctor.does("asks for 1 day, for treatment", "FileRequest", self._pulse, 1, "treatment", coins)

    async def _share_and_read(self) -> None:
        self._tell.scene("Alice shares, the doctor reads")
        alice, doctor = self._actors["alice"], self._actors["doctor"]
        await self._share_with(doctor, days=1)
        answer = await doctor.asks("ReadAsset", self._pulse)
        newest = answer["readings"][0]
        self._tell.says(f"[bold]doctor[/bold] reads {newest['value']} {newest['unit']} at {newest['time']}")
        earned = (await alice.asks("MyCoins"))["total"]
        self._tell.expect(earned == 1, "Alice has earned 1 PrivyCoin")

    async def _only_the_owner_shares(self) -> None:
        self._tell.scene("Only the owner shares")
        doctor, insurer = self._actors["doctor"], self._actors["insurer"]
        arguments = ("heart_rate", self._pulse, 1, [insurer.party])
        await doctor.is_refused("tries to share it with the insurer", DENIED, "ShareAsset", *arguments, submit=True)

    async def _too_few_coins(self) -> None:
        self._tell.scene("Access costs what it costs")
        insurer, mint = self._actors["insurer"], self._actors["mint"]
        await mint.does("mints 1 PrivyCoin for the insurer", "MintCoins", insurer.party, 1, "invoice-3")
        await insurer.is_refused(
            "asks for 30 days with 1 coin",
            "stakeholder does not have enough coins",
            "FileRequest", self._pulse, 30, "tariffs", await self._coins(insurer),
            submit=True,
        )  # fmt: skip
        self._tell.expect((await insurer.asks("MyCoins"))["total"] == 1, "the insurer still has its coin")

    async def _lapse(self) -> None:
        self._tell.scene("A grant lapses by itself")
        doctor, alice = self._actors["doctor"], self._actors["alice"]
        (grant,) = (await alice.asks("ListGrants", self._pulse))["items"]
        ends = datetime.fromisoformat(grant["not_after"])
        await asyncio.sleep(max(0.0, ends.timestamp() - time.time()) + 0.05)
        await doctor.is_refused("comes back after the day that was paid", DENIED, "ReadAsset", self._pulse)
        await self._actors["admin.ministry"].does(
            "lets a paid day last 24 hours again", "ConfigureChannel", {"day_seconds": DAY_SECONDS_DEFAULT}
        )

    async def _revoke(self) -> None:
        self._tell.scene("Alice can take a grant back")
        alice, officer, mint = self._actors["alice"], self._actors["officer"], self._actors["mint"]
        await mint.does("mints 30 PrivyCoins for the police officer", "MintCoins", officer.party, 30, "invoice-4")
        await officer.does(
            "asks for 30 days", "FileRequest", self._pulse, 30, "a missing person", await self._coins(officer)
        )
        await self._share_with(officer, days=30)
        seen = await officer.asks("ReadAsset", self._pulse)
        self._tell.expect(seen["readings"], "the officer reads it")
        await alice.does("revokes the grant", "RevokeGrant", self._pulse, officer.party)
        await officer.is_refused("tries again", DENIED, "ReadAsset", self._pulse)

    async def _delete(self) -> None:
        self._tell.scene("Alice deletes it; what happened stays on record")
        alice = self._actors["alice"]
        await alice.does("deletes the asset", "DeleteAsset", self._pulse)
        assets = (await alice.asks("ListMyAssets"))["items"]
        self._tell.expect(not assets, "the asset is gone")
        acts = [entry["act"] for entry in (await alice.asks("AssetHistory", self._pulse))["items"]]
        self._tell.expect(len(acts) >= 5, f"its history, for Alice alone: {', '.join(reversed(acts))}")
        await self._actors["bob"].is_refused("asks for its history", DENIED, "AssetHistory", self._pulse)

    async def _agree(self) -> None:
        self._tell.scene("Everybody agrees")
        audit = await self._actors["mint"].asks("AuditCoins")
        self._tell.expect(
            audit["balanced"],
            "minted {minted} = held {held} + escrowed {escrowed} + burned {burned} coins".format(**audit),
        )
        for _ in range(50):  # the slowest peer may still be a block behind
            ledgers = await ledger_rows(self._network)
            if len({(row["height"], row["commit_hash"]) for row in ledgers}) == 1:
                break
            await asyncio.sleep(0.1)
        tips = {(row["height"], row["commit_hash"]) for row in ledgers}
        (height, commit_hash) = next(iter(tips))
        self._tell.expect(
            len(tips) == 1, f"{len(ledgers)} peers at height {height} with commit hash {str(commit_hash)[:16]}"
        )

    @property
    def _pulse(self) -> str:
        return f"{self._actors['alice'].party}/{PULSE}"

    async def _share_with(self, stakeholder: Actor, days: int) -> None:
        await self._actors["alice"].does(
            f"shares it with the {stakeholder.name} for {days} day{'s' * (days > 1)}",
            "ShareAsset", "heart_rate", self._pulse, days, [stakeholder.party],
        )  # fmt: skip

    @staticmethod
    async def _coins(actor: Actor) -> list[str]:
        return [coin["id"] for coin in (await actor.asks("MyCoins"))["coins"]]

    async def _listen(self, connections: contextlib.AsyncExitStack) -> list[CommitListener]:
        """To every peer."""
        channel = (await self._open("alice", connections)).channel(CHANNEL)
        return [await channel.commits(node) for node in channel.nodes.event_sources]

    async def _open(self, label: str, connections: contextlib.AsyncExitStack) -> Network:
        entry = network_wallet(self._network).get(label)
        profile = profile_of(self._network, entry.msp_id)
        return await connections.enter_async_context(connect(profile, entry.signing_identity()))

    async def _connect(self, label: str, connections: contextlib.AsyncExitStack) -> Actor:
        network = await self._open(label, connections)
        entry = network_wallet(self._network).get(label)
        identity = entry.signing_identity()
        party = f"{client_identity(identity.serialized).enrollment_id}@{entry.msp_id}"
        name = {"alice": "Alice", "bob": "Bob", "mint": "the mint", "admin.ministry": "the Ministry"}.get(label, label)
        return Actor(name, party, network.contract(CHANNEL, CONTRACT), self._tell, self._peers)
