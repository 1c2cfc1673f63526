"""A block that anybody changed is no block of the chain."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from privysharing.protocol.block_checks import BadBlock, check_block
from privysharing.protocol.blocks import Block, BlockHeader, MetadataIndex, data_hash, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from tests.support.following import OrderedChain
from tests.support.ordering import CITY, SIGNER, STRANGERS, batch_update, envelope, genesis

VECTORS = Path(__file__).parents[2] / "interop" / "vectors"


@pytest.mark.parametrize("kind", ["blk", "pblk"])
def test_blocks_of_a_real_fabric_pass(kind: str) -> None:
    count = len(list(VECTORS.glob(f"{kind}[0-9].block")))
    blocks = [parse_block((VECTORS / f"{kind}{number}.block").read_bytes()) for number in range(count)]
    config = ChannelConfig.from_block(blocks[0])
    for previous, block in itertools.pairwise(blocks):
        check_block(block, block.header.number, header_hash(previous.header), config)


CHAIN = OrderedChain(genesis(), SIGNER)
FIRST = CHAIN.cut(envelope(b"one"), envelope(b"two"))
TIP = header_hash(CHAIN.blocks[0].header)


def resealed(envelopes: tuple[bytes, ...]) -> Block:
    return CHAIN_START.copy().cut(*envelopes)


CHAIN_START = OrderedChain(genesis(), SIGNER)


def test_the_next_block_passes() -> None:
    check_block(FIRST, 1, TIP, CHAIN.config)


def changed_header(**fields: object) -> Callable[[Block], Block]:
    def change(block: Block) -> Block:
        make: Callable[..., BlockHeader] = replace
        return replace(block, header=make(block.header, **fields))

    return change


def flipped_data(block: Block) -> Block:
    raw = bytearray(block.data[1])
    raw[-1] ^= 1
    return replace(block, data=(block.data[0], bytes(raw)))


def with_metadata(index: MetadataIndex, value: bytes) -> Callable[[Block], Block]:
    return lambda block: block.with_metadata(index, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed_header(number=2), "expected block number is [1]"),
        (changed_header(previous_hash=b"\x00" * 32), "Header.PreviousHash"),
        (changed_header(data_hash=b"\x00" * 32), "Header.DataHash"),
        (flipped_data, "Header.DataHash"),
        (lambda block: replace(block, data=block.data[::-1]), "Header.DataHash"),
        (lambda block: replace(block, metadata=block.metadata[:4]), "too few entries"),
        (with_metadata(MetadataIndex.SIGNATURES, b""), "do not satisfy"),
        (with_metadata(MetadataIndex.SIGNATURES, b"\xff"), "SIGNATURES|not a"),
        (lambda block: resealed((b"\x12\x01s\x0a\x01p",)), "does not match its raw form"),
        (lambda block: resealed((b"\x0a\x01p" + block.data[0],)), "does not match its raw form"),
        (lambda block: resealed((b"\xff",)), "is invalid"),
        (lambda block: resealed((b"\x12\x01s",)), "has no payload"),
        (lambda block: resealed((b"\x0a\x01p",)), "has no signature"),
        (lambda block: resealed(()), "is empty"),
    ],
)
def test_a_changed_block_is_refused(change: Callable[[Block], Block], reason: str) -> None:
    with pytest.raises(BadBlock) as caught:
        check_block(change(FIRST), 1, TIP, CHAIN.config)
    assert any(part in str(caught.value) for part in reason.split("|"))


@pytest.mark.parametrize("signer", [CITY.peer, STRANGERS.person("orderer", "orderer"), CITY.person("o", "orderer")])
def test_only_orderers_of_the_channel_sign_blocks(signer: object) -> None:
    block = OrderedChain(genesis(), signer).cut(envelope())  # type: ignore[arg-type]
    with pytest.raises(BadBlock, match="do not satisfy"):
        check_block(block, 1, TIP, CHAIN.config)


def test_a_signature_over_another_header_counts_for_nothing() -> None:
    other = OrderedChain(genesis(), SIGNER).cut(envelope(b"other"))
    forged = FIRST.with_metadata(MetadataIndex.SIGNATURES, other.metadata[MetadataIndex.SIGNATURES])
    with pytest.raises(BadBlock, match="do not satisfy"):
        check_block(forged, 1, TIP, CHAIN.config)


def test_a_configuration_block_passes_under_the_configuration_before_it() -> None:
    chain = OrderedChain(genesis(), SIGNER)
    before = chain.config
    block = chain.reconfigure(batch_update(before, replace(before.orderer.batch_size, max_message_count=7)))
    assert data_hash(block.data) == block.header.data_hash
    check_block(block, 1, TIP, before)
    assert chain.config.orderer.batch_size.max_message_count == 7
