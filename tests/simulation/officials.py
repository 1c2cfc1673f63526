"""Those who govern the channel while a storm goes on: they change its configuration, and approve contracts.

What they did must hold: a configuration that a peer shows is in force there, whoever was revoked is nobody any more,
and what an organisation's own peer has approved it can still show.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.config import ConfigGroup, ConfigUpdate
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.config_values import encode_batch_size
from privysharing.protocol.codec.configs import parse_config
from privysharing.protocol.codec.lifecycle import (
    encode_approve_args,
    encode_query_approved_args,
    parse_query_approved_result,
)
from privysharing.protocol.codec.msps import encode_msp_config, parse_msp_config
from privysharing.protocol.codes import TxCode
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.protocol.system_chaincodes import CSCC
from privysharing.sdk import Call, Channel, Network, connect
from privysharing.sdk.channel import Timeouts
from privysharing.sdk.errors import CommitRefused, SdkError
from privysharing.sdk.profile import Node
from services.runtime.machine import Machine
from tests.simulation.computers import Program
from tests.simulation.judge.workload import MALLORY
from tests.simulation.town import BEGINNING, CHANNEL, Town
from tests.support.config_updates import difference, signed_update, with_value_at

PATIENCE: Final = Timeouts(evaluate=5.0, endorse=10.0, broadcast=5.0, commit=20.0)
BETWEEN_S: Final = 4.0  # mean time between two acts
PERSISTENCE: Final = 40  # questions to a node that may be away
EFFECT_S: Final = 60.0  # how long to wait for a configuration
CHANNEL_CONFIG: Final = Call(CSCC, "GetChannelConfig", (CHANNEL,))
CONFIG_BLOCK: Final = Call(CSCC, "GetConfigBlock", (CHANNEL,))
OUTLAW: Final = MALLORY.party  # who is revoked
MESSAGES: Final = (1, 2, 3, 10)  # in a block, at most
BYTES: Final = (6_000, 12_000, 2 * 1024 * 1024)  # of a block, preferably


@dataclass(slots=True)
class Minutes:
    """What was done, and what should not have been possible."""

    met: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    outlawed: bool = False  # whether that was tried, at least


def officials_program(
    town: Town, chance: random.Random, acts: int, minutes: Minutes, calm: asyncio.Event, done: Callable[[], None]
) -> Program:
    """So many acts, one after the other; and when it is `calm` again, a look at what became of them."""

    async def run(machine: Machine, _stop: asyncio.Event) -> None:
        office = _Office(town, chance, machine, minutes)
        for _ in range(acts):
            await asyncio.sleep(chance.expovariate(1 / BETWEEN_S))
            await chance.choice((office.resize, office.resize, office.outlaw, office.approve, office.approve))()
        await calm.wait()
        await office.look_back()
        done()

    return run


class _Office:
    """All administrators of the channel, who agree on everything."""

    def __init__(self, town: Town, chance: random.Random, machine: Machine, minutes: Minutes) -> None:
        self._town = town
        self._chance = chance
        self._machine = machine
        self._minutes = minutes
        self._approved: dict[tuple[str, str], ChaincodeDefinition] = {}  # by organisation and name

    async def resize(self) -> None:
        """Blocks of another size."""
        size = BatchSize(self._chance.choice(MESSAGES), preferred_max_bytes=self._chance.choice(BYTES))
        value = encode_batch_size(size)
        await self._update("blocks of another size", lambda root: with_value_at(root, ("Orderer",), "BatchSize", value))

    async def outlaw(self) -> None:
        """A person whose certificate is taken back."""
        self._minutes.outlawed = True
        msp_id = OUTLAW.rpartition("@")[2]
        crl = _revocation_list(self._town, OUTLAW)

        def change(root: ConfigGroup) -> ConfigGroup:
            for section in ("Orderer", "Application"):
                for name, org in root.groups[section].groups.items():
                    config = parse_msp_config(org.values["MSP"].value)
                    if config.name == msp_id:
                        value = encode_msp_config(replace(config, revocation_list=(crl,)))
                        root = with_value_at(root, (section, name), "MSP", value)
            return root

        if (sequence := await self._update("a certificate revoked", change)) is not None:
            await self._for_each_peer(sequence, self._refuses_the_outlaw)

    async def approve(self) -> None:
        """An organisation approves of a contract that nobody has yet."""
        org = self._chance.choice(self._town.channel.members)
        name = f"contract{self._chance.randrange(10**6)}"
        definition = ChaincodeDefinition(sequence=1, version=f"{self._chance.randrange(9)}.0")
        argument = encode_approve_args(name, definition, f"{name}:{'x' * self._chance.randrange(600)}")
        call = Call(LIFECYCLE, "ApproveChaincodeDefinitionForMyOrg", (argument,))
        async with self._connected(org.name) as network:
            channel = network.channel(CHANNEL)
            try:
                await channel.submit(call, [_own(channel, org.msp_id)])
            except CommitRefused as error:
                if error.code is not TxCode.BAD_CREATOR_SIGNATURE:  # of a copy that an orderer spoilt, and put first
                    self._minutes.faults.append(f"approval of {name} by {org.name} came to nothing: {error}")
            except SdkError:
                return  # nobody can tell
            else:
                self._minutes.met["officials: a contract approved"] += 1
                self._approved[org.name, name] = definition

    async def look_back(self) -> None:
        """Every approval is still to be had where it was given."""
        for (org, name), definition in self._approved.items():
            msp_id = self._town.material.organisations[org].org.msp_id
            call = Call(LIFECYCLE, "QueryApprovedChaincodeDefinition", (encode_query_approved_args(name, 1),))
            async with self._connected(org) as network:
                answer = await _insist(network.channel(CHANNEL), call, msp_id)
            if isinstance(answer, str) or parse_query_approved_result(answer)[0].version != definition.version:
                self._minutes.faults.append(f"{org} approved of {name}, and its peer says: {answer!r}")

    async def _update(self, what: str, change: Callable[[ConfigGroup], ConfigGroup]) -> int | None:
        """Change the configuration; its sequence number, if it is in force somewhere before long."""
        async with self._connected(self._town.channel.members[0].name) as network:
            channel = network.channel(CHANNEL)
            try:
                peer = self._chance.choice(channel.nodes.endorsers)
                config = parse_config(await channel.evaluate(CHANNEL_CONFIG, (peer,)))
                await channel.order(self._signed(difference(CHANNEL, config.root, change(config.root))))
            except SdkError:
                return None
            for _ in range(int(EFFECT_S)):
                await asyncio.sleep(1.0)
                try:
                    now = parse_config(await channel.evaluate(CHANNEL_CONFIG))
                except SdkError:
                    continue
                if now.sequence > config.sequence:
                    self._minutes.met[f"officials: {what}"] += 1
                    return now.sequence
            return None

    async def _for_each_peer(self, sequence: int, check: Callable[[Node], Awaitable[None]]) -> None:
        """Check a peer once it shows this configuration, or a later one."""
        async with self._connected(self._town.channel.members[0].name) as network:
            channel = network.channel(CHANNEL)
            for peer in channel.nodes.endorsers:
                try:
                    shown = parse_config(await channel.evaluate(CHANNEL_CONFIG, (peer,)))
                    block = parse_block(await channel.evaluate(CONFIG_BLOCK, (peer,)))
                except SdkError:
                    continue
                if (stored := ChannelConfig.from_block(block).sequence) < shown.sequence:
                    found = f"{peer.name} shows configuration {shown.sequence} and the block of {stored}"
                    self._minutes.faults.append(found)
                if shown.sequence >= sequence:
                    await check(peer)

    async def _refuses_the_outlaw(self, peer: Node) -> None:
        user, _, msp_id = OUTLAW.rpartition("@")
        async with self._connected(self._town.organisation(msp_id), user) as network:
            try:
                answer = await network.channel(CHANNEL).evaluate(Call("privysharing", "MyCoins", ()), (peer,))
            except SdkError:
                self._minutes.met["officials: the outlaw was refused"] += 1
            else:
                self._minutes.faults.append(f"{peer.name} answers {OUTLAW}, who is revoked: {answer!r}")

    def _connected(self, org: str, user: str = "Admin") -> AbstractAsyncContextManager[Network]:
        profile, identity = self._town.profile(org, 0), self._town.user_identity(org, user)
        return connect(profile, identity, timeouts=PATIENCE, outside=self._machine.outside)

    def _signed(self, update: ConfigUpdate) -> bytes:
        """By every administrator."""
        admins = [self._town.user_identity(org.name, "Admin") for org in self._town.topology.organisations]
        outside = self._machine.outside
        return signed_update(update, admins, outside.random_bytes, outside.now_ns())


def _own(channel: Channel, msp_id: str) -> Node:
    return next(node for node in channel.nodes.endorsers if node.msp_id == msp_id)


async def _insist(channel: Channel, call: Call, msp_id: str) -> bytes | str:
    """The answer of an organisation's own peer, or what was said instead, time and again."""
    said = ""
    for _ in range(PERSISTENCE):
        try:
            return await channel.evaluate(call, (_own(channel, msp_id),))
        except SdkError as error:
            said = str(error)
        await asyncio.sleep(BETWEEN_S)
    return said


def _revocation_list(town: Town, party: str) -> bytes:
    """The word of an organisation's CA that a person is not to be trusted any more."""
    user, _, msp_id = party.rpartition("@")
    material = town.material.organisations[town.organisation(msp_id)]
    ca = material.ca.credential
    identifier = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    revoked = x509.RevokedCertificateBuilder().serial_number(material.users[user].identity.certificate.serial_number)
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(BEGINNING)
        .next_update(BEGINNING + timedelta(days=30))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_revoked_certificate(revoked.revocation_date(BEGINNING).build())
        .sign(ca.key, hashes.SHA256(), ecdsa_deterministic=True)
        .public_bytes(Encoding.PEM)
    )
