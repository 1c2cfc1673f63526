"""A committing peer that follows a malicious orderer: blocks that are correctly signed and hostile inside.

Two peers come to the same verdicts, changes and commit hash, however their caches are filled and however the work was
divided; a restart comes to them again from the stored block; an auditor reads it; a listener is told of it.
"""

import random
from collections.abc import Sequence
from functools import partial
from zlib import crc32

from privysharing.protocol.block_checks import BadBlock, check_block
from privysharing.protocol.blocks import Block, BlockHeader, data_hash, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.deliver import encode_deliver_filtered
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.codec.rwsets import encode_state_metadata
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.describe import describe_block
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.reading import ReadTransaction
from privysharing.protocol.rwsets import VALIDATION_PARAMETER, Version, VersionedValue
from privysharing.protocol.signers import Signers, verify_all
from services.client.cli.output import json_text
from services.peer.commits import make_commit, replay
from services.peer.events.filtered import filtered_block, filtered_commit
from services.peer.ledger.types import Commit
from services.peer.validation.errors import ChannelHalted
from services.peer.validation.validate import Judgement, read_block, validate_block
from tests.fuzz import messages
from tests.fuzz.material import CHAINCODE, CHANNEL, GENESIS, cold_config
from tests.fuzz.messages import HASHES, POLICIES
from tests.fuzz.mutate import Hand, Mutator, spoilt
from tests.fuzz.oracle import require
from tests.fuzz.targets.ordering import split
from tests.support.judging import DictView

COLD = 8  # every so many blocks meet a peer with nothing in any cache
ENVELOPES_MAX = 5
PREVIOUS_COMMIT_HASH = b"c" * 32
NUMBER = 3


def view() -> DictView:
    """A state with keys, keys that have policies of their own, hashes, and two chaincodes."""
    made = DictView()
    policy = encode_application_policy(parse_policy(POLICIES[1]))
    secret = CollectionConfig(name="secret", member_orgs_policy=encode_signature_policy(parse_policy(POLICIES[0])))
    made.define(CHAINCODE, POLICIES[1], [secret], endorsement_plugin="escc")
    made.define("other", None)
    own = encode_state_metadata([(VALIDATION_PARAMETER, encode_signature_policy(parse_policy(POLICIES[0])))])
    for number in range(3):
        made.put(CHAINCODE, f"k{number}", b"v", Version(1, number))
    made.put(CHAINCODE, "guarded", b"v", Version(1, 3), own)
    made.put(CHAINCODE, "odd", b"v", Version(1, 4), b"\x12\x02\x0a\x00")
    made.hashed[CHAINCODE, "secret", HASHES[0]] = VersionedValue(b"h", Version(1, 0), own)
    made.hashed[CHAINCODE, "secret", HASHES[1]] = VersionedValue(b"h", Version(1, 1))
    assert policy
    return made


class Validating:
    """Blocks with hostile envelopes."""

    name = "blocks"

    def __init__(self) -> None:
        self._config, self._other = cold_config(), cold_config()
        self._view = view()

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        """Envelopes, each behind its length in four bytes."""
        if chance.random() < 0.1:
            nonce = chance.randbytes(24)
            made = [spoilt(chance, mutator, lambda hand: messages.configuration(hand, chance, self._config, nonce))]
        else:
            made = [self._transaction(chance, mutator) for _ in range(chance.randint(1, ENVELOPES_MAX))]
        if chance.random() < 0.15:
            made.append(chance.choice(made))  # the same again
        return b"".join(len(each).to_bytes(4, "big") + each for each in made)

    def feed(self, raw: bytes) -> str:
        envelopes = split(raw)
        block = Block(BlockHeader(NUMBER, b"p" * 32, data_hash(envelopes)), tuple(envelopes), (b"",) * 5)
        cold = cold_config() if crc32(raw) % COLD == 0 else self._other
        one, other = self._judged(block, self._config, len(envelopes)), self._judged(block, cold, 1)
        if isinstance(one, str) or isinstance(other, str):
            require(one == other, f"one peer halts and another does not: {one} {other}")
            return "halted"
        require(one.verdicts == other.verdicts, f"two peers differ: {one.verdicts} {other.verdicts}")
        transactions = read_block(block)
        first, second = (self._commit(block, transactions, each) for each in (one, other))
        require(first == second, "two peers come to different commits")
        self._stored(first, transactions)
        return " ".join(sorted({code.name for code in one.verdicts}))

    def _transaction(self, chance: random.Random, mutator: Mutator) -> bytes:
        call = messages.some_call(chance, chance.randbytes(24))
        if chance.random() < 0.3:
            return messages.transaction(Hand(), call)
        return spoilt(chance, mutator, partial(messages.transaction, call=call), rate=0.06)

    def _judged(self, block: Block, config: ChannelConfig, slice_size: int) -> Judgement | str:
        transactions = read_block(block)
        signers: list[Signers] = []
        for start in range(0, len(transactions), slice_size):
            signers += verify_all(transactions[start : start + slice_size], CHANNEL, config.msps)
        try:
            return validate_block(NUMBER, transactions, signers, config, self._view)
        except ChannelHalted as halted:
            return str(halted)

    def _commit(self, block: Block, transactions: Sequence[ReadTransaction], judged: Judgement) -> Commit:
        return make_commit(block, transactions, judged.verdicts, judged.updates, PREVIOUS_COMMIT_HASH)

    def _stored(self, commit: Commit, transactions: Sequence[ReadTransaction]) -> None:
        """What a restart, a listener and an auditor make of the block once it is stored."""
        block = parse_block(encode_block(commit.block))
        require(replay(block, self._view, PREVIOUS_COMMIT_HASH) == commit, "a restart comes to something else")
        told = encode_deliver_filtered(filtered_commit(CHANNEL, NUMBER, transactions, commit.verdicts))
        require(told == encode_deliver_filtered(filtered_block(CHANNEL, block)), "listeners are told two stories")
        json_text(describe_block(block))


class Following:
    """Whole blocks from an orderer: what does not belong there is BadBlock, and never anything else."""

    name = "feed"

    def __init__(self) -> None:
        self._config = cold_config()
        self._previous = header_hash(GENESIS.header)

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        envelopes = []
        for _ in range(chance.randint(1, 2)):
            call = messages.some_call(chance, chance.randbytes(24))
            envelopes.append(messages.transaction(Hand(), call))
        return spoilt(
            chance, mutator, lambda hand: messages.block(hand, envelopes, 1, self._previous, b"n" * 24), rate=0.15
        )

    def feed(self, raw: bytes) -> str:
        try:
            block = parse_block(raw)
        except MalformedMessage:
            return "no block"
        json_text(describe_block(block))
        try:
            check_block(block, 1, self._previous, self._config)
        except BadBlock:
            return "bad"
        require(data_hash(block.data) == block.header.data_hash, "a block whose data are others")
        require(all(read.raw for read in read_block(block)), "an empty envelope in a good block")
        return "good"
