"""A channel with one orderer organisation and one member, and everything its people submit to an orderer."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.config import (
    ConfigGroup,
    ConfigSignature,
    ConfigUpdate,
    ConfigUpdateEnvelope,
    ConfigValue,
)
from privysharing.protocol.channel.genesis import ChannelProfile, OrgProfile, genesis_block
from privysharing.protocol.channel.settings import BatchSize, ConsensusState, ConsensusType
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.config_values import encode_batch_size, encode_consensus_type
from privysharing.protocol.codec.configs import encode_config_update, encode_config_update_envelope
from privysharing.protocol.codec.deliver import encode_seek_info
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
)
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import SeekInfo
from privysharing.protocol.envelopes import ChannelHeader, SignatureHeader, compute_tx_id
from privysharing.protocol.ordering import RecordClass, Regular
from privysharing.protocol.policies.dsl import parse_implicit_meta, parse_policy
from privysharing.rpc.outside import Outside
from services.orderer.chain import Chain, ChainContext
from services.orderer.log import OrderedLog
from services.orderer.metrics import OrdererMetrics
from services.orderer.sealing import config_envelope
from services.orderer.store import BlockStore
from services.runtime.disk import Disk, StorageError
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.support.authorities import START, Holder, msp_config, root

CHANNEL = "health"
SECOND_NS = 1_000_000_000
NOW_NS = int((START + timedelta(days=30)).timestamp()) * SECOND_NS  # when every certificate here is valid
FABRIC_BATCH = BatchSize()
_nonces = itertools.count(1)


class Member:
    """An organisation of the channel, and its people."""

    def __init__(self, msp_id: str) -> None:
        self.msp_id = msp_id
        self.ca: Holder = root(f"ca.{msp_id}")
        self.admin = self.person("admin", "admin")
        self.client = self.person("client", "client")
        self.peer = self.person("peer", "peer")

    def person(self, name: str, unit: str, **choices: object) -> SigningIdentity:
        issue: Callable[..., Holder] = self.ca.issue
        return issue(name, unit, **choices).signer(self.msp_id)

    def profile(self, *, orderer: bool = False) -> OrgProfile:
        msp = self.msp_id
        rules = {
            "Readers": f"OR('{msp}.orderer')" if orderer else f"OR('{msp}.admin', '{msp}.peer')",
            "Writers": f"OR('{msp}.orderer')" if orderer else f"OR('{msp}.admin', '{msp}.client')",
            "Admins": f"OR('{msp}.admin')",
            "Endorsement": f"OR('{msp}.peer')",
        }
        policies = {name: parse_policy(rule) for name, rule in rules.items()}
        return OrgProfile(msp, msp_config(msp, self.ca), policies)


ORDERERS, CITY, STRANGERS = Member("OrdererMSP"), Member("CityMSP"), Member("StrangerMSP")
SIGNER = ORDERERS.person("orderer0", "orderer")


def genesis(
    channel_id: str = CHANNEL,
    batch: BatchSize = FABRIC_BATCH,
    timeout_s: float = 2.0,
    state: ConsensusState = ConsensusState.NORMAL,
) -> Block:
    """The channel's first block."""
    meta = {
        "Readers": parse_implicit_meta("ANY Readers"),
        "Writers": parse_implicit_meta("ANY Writers"),
        "Admins": parse_implicit_meta("MAJORITY Admins"),
    }
    profile = ChannelProfile(
        channel_id=channel_id,
        orderer_orgs=(ORDERERS.profile(orderer=True),),
        application_orgs=(CITY.profile(),),
        channel_policies=meta,
        orderer_policies={**meta, "BlockValidation": parse_implicit_meta("ANY Writers")},
        application_policies={**meta, "Endorsement": parse_implicit_meta("ANY Endorsement")},
        consensus=ConsensusType("solo", state=state),
        batch_size=batch,
        batch_timeout_s=timeout_s,
    )
    return genesis_block(profile, nonce=b"n" * 24, timestamp_ns=NOW_NS)


def envelope(
    data: bytes = b"data",
    who: SigningIdentity = CITY.client,
    *,
    channel_id: str = CHANNEL,
    kind: int = HeaderType.ENDORSER_TRANSACTION,
    timestamp_ns: int | None = NOW_NS,
    tls_cert_hash: bytes = b"",
    signature: bytes | None = None,
) -> bytes:
    """A signed envelope, another one at each call."""
    nonce = next(_nonces).to_bytes(24, "big")
    header = ChannelHeader(
        kind,
        channel_id,
        compute_tx_id(nonce, who.serialized),
        timestamp_ns=timestamp_ns,
        tls_cert_hash=tls_cert_hash,
    )
    signature_header = encode_signature_header(SignatureHeader(who.serialized, nonce))
    payload = encode_payload(encode_channel_header(header), signature_header, data)
    return encode_envelope(payload, who.sign(payload) if signature is None else signature)


def seek_envelope(seek: SeekInfo, who: SigningIdentity = CITY.peer, **choices: object) -> bytes:
    """A request to Deliver."""
    make: Callable[..., bytes] = envelope
    return make(encode_seek_info(seek), who, **{"kind": HeaderType.DELIVER_SEEK_INFO, **choices})


def update_of(config: ChannelConfig, values: dict[str, bytes], signers: Iterable[SigningIdentity]) -> bytes:
    """A CONFIG_UPDATE envelope that gives values of the orderer group other contents."""
    channel, orderer = config.config.root, config.config.root.groups["Orderer"]
    known = ConfigGroup(version=orderer.version, mod_policy=orderer.mod_policy)
    read = ConfigGroup(groups={"Orderer": known}, version=channel.version, mod_policy=channel.mod_policy)
    changed = {
        name: ConfigValue(value, orderer.values[name].version + 1, orderer.values[name].mod_policy)
        for name, value in values.items()
    }
    write = replace(read, groups={"Orderer": replace(known, values=changed)})
    update = encode_config_update(ConfigUpdate(config.channel_id, read, write))
    signatures = []
    for signer in signers:
        header = encode_signature_header(SignatureHeader(signer.serialized, b"n"))
        signatures.append(ConfigSignature(header, signer.sign(header + update)))
    signed = encode_config_update_envelope(ConfigUpdateEnvelope(update, tuple(signatures)))
    return envelope(signed, CITY.admin, channel_id=config.channel_id, kind=HeaderType.CONFIG_UPDATE)


def batch_update(config: ChannelConfig, batch: BatchSize) -> bytes:
    """A CONFIG_UPDATE envelope that sets the batch limits, signed by whoever has to."""
    return update_of(config, {"BatchSize": encode_batch_size(batch)}, [ORDERERS.admin])


def consensus_update(config: ChannelConfig, consensus: ConsensusType) -> bytes:
    """A CONFIG_UPDATE envelope that sets type and state of the consensus."""
    return update_of(config, {"ConsensusType": encode_consensus_type(consensus)}, [ORDERERS.admin])


def context(cut_interval_s: float = 0.0, registry: Registry | None = None) -> ChainContext:
    """What chains share."""
    return ChainContext(SIGNER, OrdererMetrics(registry or Registry()), cut_interval_s, Outside(now_ns=lambda: NOW_NS))


def store_with(first: Block, disk: Disk | None = None) -> BlockStore:
    """A block store that holds a genesis block."""
    store = BlockStore(disk or MemoryDisk(), Path("/orderer/chains/health"))
    if store.height == 0:
        store.append(encode_block(first))
        store.sync()
    return store


def started(store: BlockStore, log: OrderedLog, shared: ChainContext) -> Chain:
    """A chain that goes on where its store ends. Raises LostRecords."""
    chain = Chain(store, shared)
    chain.start(log)
    return chain


class RunningChain:
    """A chain and the task that runs it; stopped like a process that is switched off."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.task = asyncio.create_task(chain.run())

    async def blocks(self, stop: int) -> list[Block]:
        """Blocks from the first up to, without, this number."""
        return [await self.block(number) for number in range(stop)]

    async def block(self, number: int) -> Block:
        async with asyncio.timeout(5):
            assert await self.chain.reaches(number)
        return parse_block(await self.chain.block(number))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        with contextlib.suppress(StorageError):
            await self.chain.close()


def run_chain(first: Block, log: OrderedLog, cut_interval_s: float = 0.0) -> RunningChain:
    """Start a chain on a log."""
    return RunningChain(started(store_with(first), log, context(cut_interval_s)))


async def stream(messages: Sequence[bytes]) -> AsyncIterator[bytes]:
    """What a client sends."""
    for message in messages:
        yield message


def normal(raw: bytes | None = None, sequence: int = 0) -> Regular:
    """A record of an envelope that was admitted under that configuration."""
    return Regular(raw or envelope(), sequence, RecordClass.NORMAL)


def configuration(current: ChannelConfig, limits: BatchSize, sequence: int | None = None) -> Regular:
    """A record of a configuration that follows from the current one."""
    derived = derive(current, batch_update(current, limits))
    raw = config_envelope(current.channel_id, derived, signer=SIGNER, now_ns=NOW_NS, nonce=b"n" * 24)
    return Regular(raw, current.sequence if sequence is None else sequence, RecordClass.CONFIG)
