"""Blocks of a malicious orderer, judged by a peer and by the serial model that shares no code with it."""

import copy
import random
from functools import partial

from privysharing.protocol import block_checks
from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.codec.collections import encode_collections
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.protocol.lifecycle_state import NAMESPACES, definition_structure, store
from privysharing.protocol.ordering import LogPosition
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.rwsets import (
    VALIDATION_PARAMETER,
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedWrite,
    MetadataWrite,
    NamespaceRwSet,
    TxRwSet,
    Write,
)
from privysharing.protocol.signers import verify_all
from services.orderer.sealing import next_header, seal
from services.peer.commits import make_commit
from services.peer.committer import store_genesis
from services.peer.ledger.memory import MemoryLedger, MemoryState
from services.peer.ledger.types import Commit
from services.peer.validation.errors import ChannelHalted
from services.peer.validation.validate import read_block, validate_block
from tests.fuzz import messages
from tests.fuzz.material import CHAINCODE, CHANNEL, CLIENT, GENESIS, ORDERER, cold_config
from tests.fuzz.messages import HASHES, POLICIES, Call
from tests.fuzz.mutate import Hand, Mutator, spoilt
from tests.fuzz.oracle import require
from tests.fuzz.targets.ordering import split
from tests.simulation.judge.ledger.codes import BadBlock, Wrong
from tests.simulation.judge.ledger.model import LedgerModel
from tests.simulation.judge.ledger.state import Entry, Place

ENVELOPES_MAX = 4
MODEL_KEPT = 300  # inputs for one model: it remembers whomever it has met, for ever
# The model asks more of an orderer's metadata than a Fabric peer does: such blocks are made honestly here.
REFUSALS = frozenset({Wrong.HALTED, Wrong.CONFIG_IN_COMPANY, Wrong.WRONG_CONFIG})


class Judging:
    """Envelopes of one block, each behind its length, on a channel with definitions, keys, policies and collections."""

    name = "judged"

    def __init__(self) -> None:
        self._fed = 0
        self._config: ChannelConfig = cold_config()
        self._ledger = MemoryLedger(CHANNEL)
        store_genesis(self._ledger, GENESIS)
        self._tip = GENESIS
        self._model = LedgerModel(encode_block(GENESIS))
        for number, rwset in enumerate((definitions(), contents())):
            chaincode = LIFECYCLE if number == 0 else CHAINCODE
            call = Call(rwset=rwset, nonce=bytes((number,)) * 24, chaincode=chaincode, creator=CLIENT)
            self._grow(messages.transaction(Hand(), call))

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        if chance.random() < 0.1:
            nonce = chance.randbytes(24)
            made = [spoilt(chance, mutator, lambda hand: messages.configuration(hand, chance, self._config, nonce))]
        else:
            made = [_transaction(chance, mutator) for _ in range(chance.randint(1, ENVELOPES_MAX))]
        if chance.random() < 0.15:
            made.append(chance.choice(made))  # the same again
        return b"".join(len(each).to_bytes(4, "big") + each for each in made)

    def feed(self, raw: bytes) -> str:
        self._fed += 1
        if self._fed % MODEL_KEPT == 0:
            self._model = self._modelled()
        block = self._sealed(*split(raw))
        ours, theirs = self._ours(block), self._theirs(block)
        if ours == "halted" and block_checks.is_config_block(block):
            return ours  # on the safe side: the model does not ask what a configuration says, nor what nobody knows
        if isinstance(ours, str) or isinstance(theirs, str):
            told = [each if isinstance(each, str) else "a verdict" for each in (ours, theirs)]
            require(told[0] == told[1] != "a verdict", f"a peer: {told[0]}; the model: {told[1]}")
            return str(ours)
        commit, (codes, commit_hash, state) = ours, theirs
        require(tuple(commit.verdicts) == codes, f"a peer: {commit.verdicts}; the model: {codes}")
        require(commit.commit_hash == commit_hash, "another commit hash than the model's")
        require(_entries(self._ledger.snapshot().after(commit)) == state, "another state than the model's")  # type: ignore[attr-defined]
        return " ".join(sorted({code.name for code in commit.verdicts}))

    def _ours(self, block: Block) -> Commit | str:
        try:
            block_checks.check_block(block, self._ledger.height, header_hash(self._tip.header), self._config)
        except block_checks.BadBlock:
            return "bad block"
        transactions = read_block(block)
        signers = verify_all(transactions, CHANNEL, self._config.msps)
        number = block.header.number
        try:
            judged = validate_block(number, transactions, signers, self._config, self._ledger.state)
        except ChannelHalted:
            return "halted"
        return make_commit(block, transactions, judged.verdicts, judged.updates, self._ledger.commit_hash)

    def _theirs(self, block: Block) -> tuple[tuple[int, ...], bytes, dict[Place, Entry]] | str:
        configs = [self._model.config, *(judged.config for judged in self._model.blocks)]
        model = copy.deepcopy(self._model, {id(config): config for config in configs})
        try:
            judged = model.append(encode_block(block))
        except BadBlock as refused:
            return "halted" if refused.fault.kind in REFUSALS else "bad block"
        return judged.codes, judged.commit_hash, model.state_at(model.height)

    def _modelled(self) -> LedgerModel:
        """The model again, of the blocks before those that are fed."""
        model = LedgerModel(encode_block(GENESIS))
        for number in range(1, self._ledger.height):
            model.append(self._ledger.block_bytes(number) or b"")
        return model

    def _sealed(self, *envelopes: bytes) -> Block:
        number = self._tip.header.number + 1
        header = next_header(number, header_hash(self._tip.header), envelopes)
        bare = Block(header, envelopes, ())
        last_config = number if block_checks.is_config_block(bare) else 0
        return seal(
            header, envelopes, last_config=last_config, position=LogPosition(number), signer=ORDERER, nonce=b"nonce"
        )

    def _grow(self, envelope: bytes) -> None:
        block = self._sealed(envelope)
        commit = self._ours(block)
        assert isinstance(commit, Commit), commit
        assert commit.verdicts == (0,), commit.verdicts
        self._ledger.append(commit)
        self._model.append(encode_block(block))
        self._tip = block


def definitions() -> TxRwSet:
    """What commits the definitions of the contract, with a collection, and of another chaincode."""
    policy = encode_application_policy(parse_policy(POLICIES[1]))
    members = encode_signature_policy(parse_policy(POLICIES[0]))
    secret = CollectionConfig(name="secret", member_orgs_policy=members, endorsement_policy=policy)
    keys = _Keys()
    for name in (CHAINCODE, "other"):
        definition = ChaincodeDefinition(
            sequence=1, version="1", validation_parameter=policy, collections=encode_collections([secret])
        )
        store(keys, NAMESPACES, name, definition_structure(definition))
    return TxRwSet((NamespaceRwSet(LIFECYCLE, writes=tuple(Write(*each) for each in sorted(keys.items()))),))


def contents() -> TxRwSet:
    """Keys, one with a policy of its own, and hashes in the collection."""
    own = ((VALIDATION_PARAMETER, encode_signature_policy(parse_policy(POLICIES[0]))),)
    names = ("guarded", "k0", "k1", "k2")
    return TxRwSet(
        (
            NamespaceRwSet(
                CHAINCODE,
                writes=tuple(Write(name, b"v") for name in names),
                metadata_writes=(MetadataWrite("guarded", own),),
                collections=(
                    CollectionHashedRwSet(
                        "secret",
                        writes=tuple(HashedWrite(each, b"h" * 32) for each in HASHES[:2]),
                        metadata_writes=(HashedMetadataWrite(HASHES[0], own),),
                    ),
                ),
            ),
        )
    )


class _Keys(dict[str, bytes]):
    """What storing a definition writes where nothing was."""

    put = dict.__setitem__
    delete = dict.__delitem__


def _transaction(chance: random.Random, mutator: Mutator) -> bytes:
    call = messages.some_call(chance, chance.randbytes(24))
    if chance.random() < 0.3:
        return messages.transaction(Hand(), call)
    return spoilt(chance, mutator, partial(messages.transaction, call=call), rate=0.06)


def _entries(state: MemoryState) -> dict[Place, Entry]:
    return {
        (entry.namespace, entry.collection or "", entry.key): Entry(
            entry.stored.value,
            (entry.stored.version.block_num, entry.stored.version.tx_num),
            entry.stored.metadata,
        )
        for entry in state.entries()
    }
