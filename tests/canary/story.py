"""What people do with canaries: all that is private is written, read, refused, deleted, left lying, and purged."""

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from privysharing.protocol.collections import implicit_collection
from privysharing.sdk import Call, Channel
from privysharing.sdk.errors import ContractRefused, SdkError
from tests.canary.canaries import Canary, bytes_canary, number_canary, text_canary, word_canary
from tests.canary.hunt import Planted
from tests.canary.network import COLLECTION, FOREIGN, WatchedNetwork
from tests.support.live import CHANNEL, CONTRACT

ASSET = "alice@CitizensMSP/wine"
MEMBERS = ("medical", "police")
OWN = implicit_collection("MedicalMSP")
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A private value of the contract without rules."""

    collection: str
    key: Canary
    value: Canary

    @property
    def transient(self) -> dict[str, bytes]:
        """With a salt beside the value: the hash of it all, which everybody has, tells nothing then."""
        value = {"value": self.value.text, "salt": secrets.token_hex(32)}
        return {"key": self.key.forms[0], "value": json.dumps(value).encode()}


class Story:
    """`written`, then `purged`; `planted` has the canaries of what was written so far."""

    def __init__(self, network: WatchedNetwork) -> None:
        self._network = network
        self.members = network.nodes_of(*MEMBERS)
        self.planted: list[Planted] = []  # that are gone once they are purged
        self.left_lying: list[Planted] = []  # of transactions that never came to be: nobody purges those
        self._kept = [
            Kept(COLLECTION, text_canary("key of another contract", hashed=False), text_canary("its value")),
            Kept(OWN, text_canary("key of one organisation", hashed=False), text_canary("its own value")),
        ]
        self._purged: list[tuple[str, str, list[bytes]]] = []  # contract, collection, hashes of keys
        self._deleted = Kept(COLLECTION, text_canary("deleted key", hashed=False), text_canary("deleted value"))

    async def written(self) -> None:
        """Everything that is private, once."""
        async with self._network.connect("alice") as alice, self._network.connect("doctor") as doctor:
            at_alice, at_doctor = alice.channel(CHANNEL), doctor.channel(CHANNEL)
            await self._readings(at_alice)
            await self._refused(at_alice)
            for kept in (*self._kept, self._deleted):
                await self._foreign(at_doctor, kept)
            delete = Call(FOREIGN, "WritePrivate", (COLLECTION,), _key(self._deleted), _IN_CRITICAL)
            await _everywhere(at_doctor, delete)
            await self._never_ordered(at_doctor)
        async with self._network.connect("mallory") as mallory:
            await self._asked_by_a_stranger(mallory.channel(CHANNEL))

    async def purged(self) -> None:
        """Everything that was written."""
        async with self._network.connect("alice") as alice, self._network.connect("doctor") as doctor:
            receipt = await alice.channel(CHANNEL).submit(Call(CONTRACT, "DeleteAsset", (ASSET,)))
            hashes = [bytes.fromhex(each) for each in json.loads(receipt.payload)["purged"]]
            self._purged = [(CONTRACT, COLLECTION, hashes)]
            for kept in (*self._kept, self._deleted):
                call = Call(FOREIGN, "PurgePrivate", (kept.collection,), _key(kept), (kept.collection,))
                await doctor.channel(CHANNEL).submit(call)
                self._purged.append((FOREIGN, kept.collection, [hashlib.sha256(kept.key.forms[0]).digest()]))

    async def unconfirmed(self, excused: Collection[str]) -> list[str]:
        """Which members have not stated before long that all that they held is gone, and why; but for these."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            lacking = {peer: why for peer, why in (await self._lacking()).items() if peer not in excused}
            if not lacking or time.monotonic() > deadline:
                return [f"{peer} does not state that all is purged: {why}" for peer, why in lacking.items()]

    async def _lacking(self) -> dict[str, str]:
        lacking: dict[str, str] = {}
        async with self._network.connect("alice") as alice:
            channel = alice.channel(CHANNEL)
            for namespace, collection, hashes in self._purged:
                statements = await channel.purge_statements(namespace, collection, hashes, timeout_s=1.0)
                lacking |= statements.lacking
        return lacking

    async def _readings(self, alice: Channel) -> None:
        """Value, unit, time, salt, the names of parts of a value, and what the contract does not look at."""
        text, name, unit = text_canary("value"), word_canary("name of a part"), word_canary("unit")
        field, content = word_canary("unused field"), text_canary("its content")
        number, salt, time = number_canary("number"), _hex_canary("salt"), _time_canary("time")
        reading: dict[str, Any] = {
            "key": secrets.token_hex(16),
            "salt": salt.text,
            "value": {"text": text.text, name.text: float(number.text)},
            "unit": unit.text,
            "time": time.text,
        }
        await _everywhere(alice, Call(CONTRACT, "CreateAsset", ("blood_alcohol", "wine", "private")))
        transient = {"readings": json.dumps([reading]).encode(), field.text: content.forms[0]}
        await _everywhere(alice, Call(CONTRACT, "AddPrivateReadings", (ASSET,), transient, _IN_CRITICAL))
        self._plant((text, name, unit, number, salt, time), who="alice@citizens")
        self._plant((field, content), who="alice@citizens", kept=False)
        answer = await alice.evaluate(Call(CONTRACT, "ReadAsset", (ASSET,), None, _IN_CRITICAL))
        assert text.text in json.loads(answer)["readings"][0]["value"]["text"]

    async def _refused(self, alice: Channel) -> None:
        """What is refused is nobody's business either."""
        refused = [text_canary(f"refused {field}") for field in ("value", "unit", "time")]
        fields = zip(("value", "unit", "time"), (canary.text for canary in refused), strict=True)
        reading = {"key": secrets.token_hex(16), "salt": secrets.token_hex(32), **dict(fields)}
        transient = {"readings": json.dumps([reading]).encode()}
        with pytest.raises(ContractRefused):
            await alice.submit(Call(CONTRACT, "AddPrivateReadings", (ASSET,), transient, _IN_CRITICAL))
        self._plant(refused, who="alice@citizens", kept=False)

    async def _foreign(self, doctor: Channel, kept: Kept) -> None:
        call = Call(FOREIGN, "WritePrivate", (kept.collection,), kept.transient, (kept.collection,))
        await _everywhere(doctor, call)
        members = MEMBERS if kept.collection == COLLECTION else MEMBERS[:1]
        self._plant((kept.key, kept.value), who="doctor@medical", members=members)

    async def _never_ordered(self, doctor: Channel) -> None:
        """Endorsed, so members keep it for a while."""
        lying = Kept(COLLECTION, text_canary("key left lying", hashed=False), text_canary("value left lying"))
        await doctor.endorse(Call(FOREIGN, "WritePrivate", (COLLECTION,), lying.transient, _IN_CRITICAL))
        known = self.members | {"doctor@medical"}
        self.left_lying += [Planted(canary, known) for canary in (lying.key, lying.value)]

    async def _asked_by_a_stranger(self, mallory: Channel) -> None:
        """Whoever has no right to them asks for readings, wherever anybody answers."""
        for peer in mallory.nodes.endorsers:
            with pytest.raises(SdkError):
                await mallory.evaluate(Call(CONTRACT, "ReadAsset", (ASSET,)), (peer,))

    def _plant(
        self, canaries: Sequence[Canary], *, who: str, members: Sequence[str] = MEMBERS, kept: bool = True
    ) -> None:
        nodes = self._network.nodes_of(*members)
        self.planted += [Planted(canary, nodes | {who}, nodes if kept else frozenset()) for canary in canaries]


_IN_CRITICAL = (COLLECTION,)


def _key(kept: Kept) -> Mapping[str, bytes]:
    return {"key": kept.key.forms[0]}


def _hex_canary(name: str) -> Canary:
    """Bytes that are written as hexadecimal digits."""
    canary = bytes_canary(name)
    return Canary(name, (canary.forms[0].hex().encode(), *canary.forms))


def _time_canary(name: str) -> Canary:
    """A moment of some year, to the nanosecond."""
    moment = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(seconds=secrets.randbelow(365 * 86_400))
    fraction = f"{secrets.randbelow(10**8):08d}{secrets.choice('123456789')}"
    nanoseconds = int(moment.timestamp()) * 10**9 + int(fraction)
    forms = [f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction}Z".encode(), str(nanoseconds).encode()]
    return Canary(name, (*forms, nanoseconds.to_bytes(8, "big"), nanoseconds.to_bytes(8, "little")))


async def _everywhere(channel: Channel, call: Call) -> None:
    """Return once every peer has committed it."""
    peers = [await channel.commits(node) for node in channel.nodes.event_sources]
    receipt = await channel.submit(call)
    await asyncio.gather(*(peer.verdict(receipt.tx_id, PATIENCE_S) for peer in peers))
