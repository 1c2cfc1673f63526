"""The judge of the ledger comes to Fabric's verdicts, agrees with our peer, and names every way to be wrong."""

import lzma
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from privysharing.protocol import block_updates, reading
from privysharing.protocol.block_updates import BlockUpdates
from privysharing.protocol.blocks import Block, MetadataIndex, data_hash
from privysharing.protocol.build import signed
from privysharing.protocol.channel.config import ConfigGroup, ConfigPolicy, ConfigUpdate
from privysharing.protocol.codec.blocks import encode_block, encode_commit_hash, parse_block
from privysharing.protocol.codec.envelopes import encode_channel_header, encode_envelope, encode_payload
from privysharing.protocol.codec.msps import encode_msp_config
from privysharing.protocol.codec.policies import encode_channel_policy, encode_signature_policy
from privysharing.protocol.codec.transactions import (
    encode_chaincode_event,
    encode_invocation,
    encode_proposal_payload,
)
from privysharing.protocol.envelopes import ChannelHeader, TxId
from privysharing.protocol.msp.config import MspConfig
from privysharing.protocol.policies.dsl import parse_implicit_meta, parse_policy
from privysharing.protocol.rwsets import (
    VALIDATION_PARAMETER,
    CollectionHashedRwSet,
    HashedWrite,
    MetadataWrite,
    NamespaceRwSet,
    RangeQuery,
    Read,
    Version,
    Write,
)
from privysharing.protocol.transactions import ChaincodeEvent, ChaincodeId, ChaincodeInput
from services.peer.validation import endorsement, mvcc, validate
from services.peer.validation.endorsement import Endorsements
from tests.simulation.judge.ledger.codes import BadBlock, Code, LedgerFault, Wrong
from tests.simulation.judge.ledger.comparison import Observation, check_peer
from tests.simulation.judge.ledger.members import NoMember, msp
from tests.simulation.judge.ledger.messages import common, configtx
from tests.simulation.judge.ledger.model import LedgerModel
from tests.simulation.judge.ledger.observing import observe
from tests.simulation.judge.ledger.state import Entry, Place
from tests.support.authorities import Holder, msp_config, root
from tests.support.config_trees import update_envelope
from tests.support.crafted_chains import Crafter, collections
from tests.support.foreign_client import with_high_s
from tests.support.judging import ADMIN1, ADMIN2, CHANNEL, CLIENT1, ORDERER, PEER1, PEER2, Tx
from tests.support.peer_chains import PeerChannel

# The cryptography library warns of certificates that a changed byte has made odd.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

VECTORS = Path(__file__).parents[2] / "interop" / "vectors"
SMALL_NETWORK = tuple((VECTORS / f"pblk{number}.block").read_bytes() for number in range(6))
SEEDS = 32
BOTH = "AND('Org1MSP.peer','Org2MSP.peer')"


@cache
def large_network() -> tuple[bytes, ...]:
    """The blocks of a Fabric peer, one after the other behind their lengths."""
    raw, blocks = lzma.decompress((VECTORS / "oracle.blocks.xz").read_bytes()), []
    while raw:
        end = 4 + int.from_bytes(raw[:4], "big")
        blocks.append(raw[4:end])
        raw = raw[end:]
    return tuple(blocks)


def judged(blocks: tuple[bytes, ...] | list[bytes]) -> LedgerModel:
    model = LedgerModel(blocks[0])
    for raw in blocks[1:]:
        model.append(raw)
    return model


# Fabric


def test_every_verdict_and_commit_hash_of_a_fabric_network_is_the_models() -> None:
    blocks = large_network()
    model = judged(blocks)
    assert check_peer(model, Observation(len(blocks), blocks)) == []
    codes = {code for block in model.blocks for code in block.codes}
    assert len(blocks) == 152
    assert len(codes) == 13
    assert model.config.sequence == 2


def test_blocks_as_a_fabric_orderer_sent_them_come_to_what_its_peer_stored() -> None:
    delivered = [(VECTORS / f"blk{number}.block").read_bytes() for number in range(4)]
    assert check_peer(judged([*delivered, *SMALL_NETWORK[4:]]), Observation(6, SMALL_NETWORK)) == []


def test_one_verdict_or_hash_of_fabric_changed_is_noticed() -> None:
    blocks = large_network()
    model = judged(blocks)
    for number in (1, 60, 151):
        code = with_codes(blocks[number], 0, Code.MVCC_READ_CONFLICT)
        told = Observation(len(blocks), (*blocks[:number], code, *blocks[number + 1 :]))
        assert kinds(check_peer(model, told)) == {Wrong.WRONG_VERDICT}


# Our own peer


@cache
def crafted(seed: int) -> PeerChannel:
    return craft(seed)


def craft(seed: int) -> PeerChannel:
    channel = PeerChannel()
    crafter = Crafter(seed, channel)
    channel.add(channel.define("cc", BOTH, *collections()), channel.define("other", "OR('Org1MSP.member')"))
    for _ in range(7):
        channel.add(*crafter.block())
    return channel


@pytest.mark.parametrize("seed", range(SEEDS))
def test_model_and_peer_agree_on_crafted_chains(seed: int) -> None:
    channel = crafted(seed)
    model = judged(channel.ordered)
    assert check_peer(model, observe(channel.ledger, model)) == []


def test_crafted_chains_show_every_verdict_that_endorsed_transactions_can_get() -> None:
    codes = Counter(Code(code) for seed in range(SEEDS) for block in filters(crafted(seed)) for code in block)
    assert set(Code) - set(codes) == {Code.NIL_ENVELOPE, Code.BAD_PAYLOAD, Code.INVALID_CONFIG_TRANSACTION}
    assert codes[Code.VALID] > sum(codes.values()) / 5


def filters(channel: PeerChannel) -> list[bytes]:
    blocks = map(channel.ledger.block, range(channel.ledger.height))
    return [block.metadata[MetadataIndex.TRANSACTIONS_FILTER] for block in blocks if block]


BROKEN: dict[str, tuple[object, str, object]] = {
    "in-block conflicts overlooked": (BlockUpdates, "touches", lambda *_: False),
    "hashed conflicts overlooked": (BlockUpdates, "touches_hashed", lambda *_: False),
    "phantoms overlooked": (mvcc, "_range_holds", lambda *_: True),
    "twins in a block accepted": (validate, "_refuse_repeated_ids", lambda *_: None),
    "known ids accepted": (validate, "_refuse_known_ids", lambda *_: None),
    "policies of keys overlooked": (Endorsements, "_validation_parameter", lambda *_: b""),
    "new policies of keys in a block overlooked": (endorsement, "metadata_keys", lambda *_: ()),
    "deletes overlooked": (block_updates, "_public_value", lambda write: write.value or b"-"),
    "proposals not hashed": (reading, "proposal_hash", lambda *_: b"h" * 32),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_peer_with_broken_code_is_noticed(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*BROKEN[how])
    for seed in range(SEEDS):
        channel = craft(seed)
        model = judged(channel.ordered)
        if check_peer(model, observe(channel.ledger, model)):
            return
    pytest.fail(f"nothing noticed: {how}")


def test_envelopes_that_are_hardly_any_come_to_the_same() -> None:
    channel = PeerChannel()
    channel.add(channel.define("cc", BOTH))
    victim = Tx(namespaces=(NamespaceRwSet("cc", writes=(Write("a", b"1"),)),))
    named = encode_channel_header(ChannelHeader(3, CHANNEL, victim.header.channel.tx_id))
    codes = channel.add(
        encode_envelope(b"\xff", b"s"),
        encode_envelope(encode_payload(named, b"\xff", b""), b"s"),
        encode_envelope(encode_payload(b"\xff", b"", b""), b"s"),
    )
    assert list(codes) == [Code.BAD_PAYLOAD, Code.BAD_COMMON_HEADER, Code.BAD_COMMON_HEADER]
    assert channel.add(victim.raw) == (Code.DUPLICATE_TXID,)  # its id was taken, if by nobody
    model = judged(channel.ordered)
    assert check_peer(model, observe(channel.ledger, model)) == []


def endorsement_update(channel: PeerChannel, *signers: object) -> bytes:
    """One organisation's endorsement is enough from now on."""
    root = channel.config.config.root
    application = root.groups["Application"]
    version = application.policies["Endorsement"].version
    policy_type, value = encode_channel_policy(parse_implicit_meta("ANY Endorsement"))

    def tree(policy: ConfigPolicy) -> ConfigGroup:
        group = ConfigGroup(policies={"Endorsement": policy}, version=application.version, mod_policy="Admins")
        return ConfigGroup(groups={"Application": group}, version=root.version, mod_policy="Admins")

    read = tree(ConfigPolicy(0, b"", version, "Admins"))
    write = tree(ConfigPolicy(policy_type, value, version + 1, "Admins"))
    return update_envelope(ConfigUpdate(CHANNEL, read, write), signers)  # type: ignore[arg-type]


def test_a_new_configuration_judges_what_comes_after_it() -> None:
    channel = PeerChannel()
    channel.add(channel.define("cc", "/Channel/Application/Endorsement"))
    alone = (Tx(endorsers=(PEER1,)).raw, Tx(endorsers=(PEER1,)).raw)
    assert channel.add(alone[0]) == (Code.ENDORSEMENT_POLICY_FAILURE,)
    channel.reconfigure(endorsement_update(channel, ADMIN1, ADMIN2))
    assert channel.add(alone[1]) == (Code.VALID,)
    model = judged(channel.ordered)
    assert model.config.sequence == 1
    assert check_peer(model, observe(channel.ledger, model)) == []


def test_a_peer_that_is_behind_is_judged_as_of_its_height() -> None:
    channel, model = story()
    behind = PeerChannel()
    for raw in channel.ordered[1:4]:
        behind.add(*parse_block(raw).data)
    assert check_peer(model, observe(behind.ledger, model)) == []
    full = observe(channel.ledger, model)
    assert Wrong.EXTRA_KEY in kinds(check_peer(model, replace(full, height=3, blocks=full.blocks[:3])))


# Wrong peers

STALE, TWIN, UNSIGNED, PHANTOM = (4, 1), (4, 2), (4, 3), (4, 4)


@cache
def story() -> tuple[PeerChannel, LedgerModel]:
    """Blocks 1 to 5: a definition; some writes; more of them; what must be refused; a key comes back."""
    channel = PeerChannel()
    channel.add(channel.define("cc", BOTH, *collections()))
    policy = encode_signature_policy(parse_policy("OR('Org1MSP.peer')"))
    secret = CollectionHashedRwSet("secret", writes=(HashedWrite(sha256(b"k").digest(), sha256(b"v").digest()),))
    channel.add(
        tx(writes=(Write("a", b"1"), Write("b", b"1")), collections=(secret,)),
        tx(writes=(Write("c", b"1"),), metadata_writes=(MetadataWrite("c", ((VALIDATION_PARAMETER, policy),)),)),
    )
    channel.add(tx(reads=(Read("a", Version(2, 0)),), writes=(Write("a", b"2"),)), tx(writes=(Write("b", b"", True),)))
    again = tx(writes=(Write("d", b"1"),))
    whole = RangeQuery("a", "z", True, (Read("a", Version(3, 0)),))
    codes = channel.add(
        again,
        tx(reads=(Read("a", Version(2, 0)),), writes=(Write("a", b"3"),)),
        again,
        Tx(namespaces=(NamespaceRwSet("cc", writes=(Write("e", b"1"),)),), endorsers=(PEER1, PEER1)).raw,
        tx(range_queries=(whole,), writes=(Write("f", b"1"),)),
    )
    assert [Code(code).name for code in codes] == [
        "VALID",
        "MVCC_READ_CONFLICT",
        "DUPLICATE_TXID",
        "ENDORSEMENT_POLICY_FAILURE",
        "PHANTOM_READ_CONFLICT",
    ]
    channel.add(tx(writes=(Write("b", b"2"),)))
    return channel, judged(channel.ordered)


def tx(**parts: object) -> bytes:
    return Tx(namespaces=(NamespaceRwSet("cc", **parts),)).raw  # type: ignore[arg-type]


def kinds(faults: list[LedgerFault]) -> set[Wrong]:
    return {fault.kind for fault in faults}


def with_codes(raw: bytes, index: int, code: int) -> bytes:
    block = parse_block(raw)
    codes = bytearray(block.metadata[MetadataIndex.TRANSACTIONS_FILTER])
    codes[index] = code
    return encode_block(block.with_metadata(MetadataIndex.TRANSACTIONS_FILTER, bytes(codes)))


def told(peer: Observation, number: int, change: Callable[[Block], Block]) -> Observation:
    """With one block told otherwise."""
    blocks = list(peer.blocks)
    blocks[number] = encode_block(change(parse_block(blocks[number])))
    return replace(peer, blocks=blocks)


def flagged(place: tuple[int, int], code: Code = Code.VALID) -> Callable[[Observation], Observation]:
    def change(peer: Observation) -> Observation:
        blocks = list(peer.blocks)
        blocks[place[0]] = with_codes(blocks[place[0]], place[1], code)
        return replace(peer, blocks=blocks)

    return change


def metadata(index: MetadataIndex, value: bytes) -> Callable[[Observation], Observation]:
    return lambda peer: told(peer, 2, lambda block: block.with_metadata(index, value))


def stored(place: Place, **changes: object) -> Callable[[Observation], Observation]:
    """With something else at a place of the state."""

    def change(peer: Observation) -> Observation:
        assert peer.state is not None
        before = peer.state.get(place, Entry(b"new", (2, 0)))
        return replace(peer, state={**peer.state, place: replace(before, **changes)})  # type: ignore[arg-type]

    return change


def lost(place: Place) -> Callable[[Observation], Observation]:
    def change(peer: Observation) -> Observation:
        assert peer.state is not None
        return replace(peer, state={each: entry for each, entry in peer.state.items() if each != place})

    return change


def history(key: str, change: Callable[[list[object]], list[object]]) -> Callable[[Observation], Observation]:
    def changed(peer: Observation) -> Observation:
        assert peer.history is not None
        entries = change(list(peer.history.get(("cc", key), ())))
        return replace(peer, history={**peer.history, ("cc", key): entries})  # type: ignore[dict-item]

    return changed


def indexed(change: Callable[[dict[str, object]], object]) -> Callable[[Observation], Observation]:
    def changed(peer: Observation) -> Observation:
        places: dict[str, object] = dict(peer.places or {})
        change(places)
        return replace(peer, places=places)  # type: ignore[arg-type]

    return changed


def swapped(peer: Observation) -> Observation:
    blocks = list(peer.blocks)
    blocks[2], blocks[3] = blocks[3], blocks[2]
    return replace(peer, blocks=blocks)


def other_order(block: Block) -> Block:
    return replace(block, data=block.data[::-1])


A, B, C = ("cc", "", "a"), ("cc", "", "b"), ("cc", "", "c")
HASHED = ("cc", "secret", sha256(b"k").digest())


@pytest.mark.parametrize(
    ("wrong", "kind", "place"),
    [
        (flagged(STALE), Wrong.WRONG_VERDICT, STALE),
        (flagged(TWIN), Wrong.WRONG_VERDICT, TWIN),
        (flagged(UNSIGNED), Wrong.WRONG_VERDICT, UNSIGNED),
        (flagged(PHANTOM), Wrong.WRONG_VERDICT, PHANTOM),
        (flagged(PHANTOM, Code.MVCC_READ_CONFLICT), Wrong.WRONG_VERDICT, PHANTOM),
        (flagged((2, 0), Code.ENDORSEMENT_POLICY_FAILURE), Wrong.WRONG_VERDICT, (2, 0)),
        (flagged((2, 1), Code(255)), Wrong.WRONG_VERDICT, (2, 1)),
        (metadata(MetadataIndex.TRANSACTIONS_FILTER, b"\x00"), Wrong.WRONG_VERDICT, (2, None)),
        (metadata(MetadataIndex.COMMIT_HASH, b""), Wrong.WRONG_COMMIT_HASH, (2, None)),
        (metadata(MetadataIndex.COMMIT_HASH, encode_commit_hash(b"x" * 32)), Wrong.WRONG_COMMIT_HASH, (2, None)),
        (metadata(MetadataIndex.SIGNATURES, b""), Wrong.OTHER_METADATA, (2, None)),
        (metadata(MetadataIndex.LAST_CONFIG, b"\x0a\x02\x08\x01"), Wrong.OTHER_METADATA, (2, None)),
        (lambda peer: told(peer, 4, other_order), Wrong.OTHER_BLOCK, (4, None)),
        (swapped, Wrong.OTHER_BLOCK, (2, None)),
        (lambda peer: replace(peer, blocks=peer.blocks[:-1]), Wrong.MISSING_BLOCK, (5, None)),
        (lambda peer: replace(peer, height=7), Wrong.TOO_HIGH, (6, None)),
        (lost(A), Wrong.MISSING_KEY, (3, 0)),
        (lost(HASHED), Wrong.MISSING_KEY, (2, 0)),
        (stored(("cc", "", "e")), Wrong.EXTRA_KEY, (2, 0)),
        (stored(A, value=b"3"), Wrong.WRONG_VALUE, (3, 0)),
        (stored(HASHED, value=sha256(b"w").digest()), Wrong.WRONG_VALUE, (2, 0)),
        (stored(A, version=(2, 0)), Wrong.WRONG_VERSION, (3, 0)),
        (stored(B, version=(5, 1)), Wrong.WRONG_VERSION, (5, 0)),
        (stored(C, metadata=b""), Wrong.WRONG_METADATA, (2, 1)),
        (history("a", lambda entries: entries[::-1]), Wrong.WRONG_HISTORY, (2, 0)),
        (history("b", lambda entries: [entries[0], entries[2]]), Wrong.WRONG_HISTORY, (3, 1)),
        (history("d", lambda entries: entries * 2), Wrong.WRONG_HISTORY, (None, None)),
        (history("a", lambda _: []), Wrong.WRONG_HISTORY, (2, 0)),
        (indexed(lambda places: places.popitem()), Wrong.WRONG_PLACE, None),
        (indexed(lambda places: places.update({"unknown": places[min(places)]})), Wrong.WRONG_PLACE, None),
        (indexed(lambda places: places.update({min(places): places[max(places)]})), Wrong.WRONG_PLACE, None),
    ],
)
def test_a_wrong_peer_is_noticed_by_name(
    wrong: Callable[[Observation], Observation], kind: Wrong, place: tuple[int | None, int | None] | None
) -> None:
    channel, model = story()
    right = observe(channel.ledger, model)
    assert check_peer(model, right) == []
    faults = check_peer(model, wrong(right))
    assert kinds(faults) == {kind}
    if place is not None:
        assert (faults[0].block, faults[0].index) == place
    assert kind.value in str(faults[0])


def test_an_id_that_happened_is_found_where_it_is() -> None:
    _, model = story()
    twice = model.blocks[4].tx_ids[0]
    assert [(place.block, place.index, place.code) for place in model.places(twice)] == [
        (4, 0, "VALID"),
        (4, 2, "DUPLICATE_TXID"),
    ]
    assert model.times_valid(twice) == 1
    assert model.times_valid(model.blocks[4].tx_ids[1]) == 0
    assert model.places("unknown") == ()
    assert model.told_blocks()[4].transactions[3] == (model.blocks[4].tx_ids[3], "ENDORSEMENT_POLICY_FAILURE")


def test_a_valid_transaction_is_told_to_whoever_knows_its_contract() -> None:
    channel = PeerChannel()
    event = encode_chaincode_event(ChaincodeEvent("cc", TxId("t"), "moved", b"far"))
    called = encode_invocation(ChaincodeId("cc"), ChaincodeInput((b"Move", b"x", b"\xff")))
    channel.add(channel.define("cc", BOTH))
    move = Tx(
        namespaces=(NamespaceRwSet("cc", writes=(Write("a", b"1"), Write("b", b""))),),
        proposal_payload=encode_proposal_payload(called),
        events=event,
    )
    channel.add(Tx(endorsers=(PEER2,)).raw, move.raw)
    definition, invocation = judged(channel.ordered).invocations
    assert definition.chaincode == "_lifecycle"
    assert (invocation.tx_id, invocation.block, invocation.index) == (move.header.channel.tx_id, 2, 1)
    assert (invocation.chaincode, invocation.function, invocation.args) == ("cc", "Move", (b"x", b"\xff"))
    assert (invocation.msp_id, invocation.common_name, invocation.units) == ("Org1MSP", "c1", ("client",))
    assert invocation.writes == {"a": b"1", "b": None}
    assert invocation.event == ("moved", b"far")


# Bad blocks


def altered(channel: PeerChannel, *signers: object, sequence: int = 1) -> Block:
    """A block of a configuration whose update these have signed, whatever its orderer should have said to that."""
    right = channel.configuration(endorsement_update(channel, ADMIN1, ADMIN2))
    payload = common.Payload.FromString(common.Envelope.FromString(right).payload)
    config = configtx.ConfigEnvelope.FromString(payload.data)
    config.last_update.MergeFromString(endorsement_update(channel, *signers))
    config.config.sequence = sequence
    payload.data = config.SerializeToString()
    return channel.sealed(signed(payload.SerializeToString(), ORDERER).raw, last_config=2)


def resealed(channel: PeerChannel, **changes: object) -> Block:
    """With a header that says something else, properly signed."""
    header = channel.sealed(PLAIN).header
    return channel.sealed(PLAIN, header=replace(header, **changes))  # type: ignore[arg-type]


def company(channel: PeerChannel) -> Block:
    config = channel.configuration(endorsement_update(channel, ADMIN1, ADMIN2))
    return channel.sealed(config, PLAIN)


PLAIN, OTHER = tx(writes=(Write("a", b"1"),)), tx(writes=(Write("a", b"2"),))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda channel: resealed(channel, number=3), Wrong.WRONG_NUMBER),
        (lambda channel: resealed(channel, number=1), Wrong.WRONG_NUMBER),
        (lambda channel: resealed(channel, previous_hash=b"x" * 32), Wrong.BROKEN_LINK),
        (lambda channel: resealed(channel, data_hash=data_hash([PLAIN, PLAIN])), Wrong.WRONG_DATA_HASH),
        (lambda channel: replace(channel.sealed(PLAIN), data=(PLAIN, PLAIN)), Wrong.WRONG_DATA_HASH),
        (lambda channel: channel.sealed(), Wrong.BAD_ENVELOPE),
        (lambda channel: channel.sealed(b"\xff"), Wrong.BAD_ENVELOPE),
        (lambda channel: channel.sealed(PLAIN, encode_envelope(b"payload", b"")), Wrong.BAD_ENVELOPE),
        (lambda channel: channel.sealed(PLAIN + PLAIN[:2] + bytes(PLAIN[1])), Wrong.BAD_ENVELOPE),
        (lambda channel: channel.sealed(PLAIN, signer=CLIENT1), Wrong.NOT_SIGNED),
        (lambda channel: channel.sealed(PLAIN).with_metadata(MetadataIndex.SIGNATURES, b""), Wrong.NOT_SIGNED),
        (lambda channel: replace(channel.sealed(PLAIN), metadata=()), Wrong.NOT_SIGNED),
        (lambda channel: replace(channel.sealed(PLAIN), header=channel.sealed(OTHER).header), Wrong.WRONG_DATA_HASH),
        (lambda channel: channel.sealed(PLAIN, last_config=1), Wrong.WRONG_LAST_CONFIG),
        (lambda channel: channel.sealed(PLAIN, ends_at=1), Wrong.WRONG_ORDERER_METADATA),
        (company, Wrong.CONFIG_IN_COMPANY),
        (lambda channel: altered(channel, ADMIN1), Wrong.WRONG_CONFIG),
        (lambda channel: altered(channel, ADMIN1, ADMIN1), Wrong.WRONG_CONFIG),
        (lambda channel: altered(channel, ADMIN1, CLIENT1), Wrong.WRONG_CONFIG),
        (lambda channel: altered(channel, ADMIN1, ADMIN2, sequence=2), Wrong.WRONG_CONFIG),
    ],
)
def test_a_block_that_no_honest_orderer_makes_is_refused_by_name(
    make: Callable[[PeerChannel], Block], kind: Wrong
) -> None:
    channel = PeerChannel()
    channel.add(channel.define("cc", BOTH))
    model = judged(channel.ordered)
    with pytest.raises(BadBlock) as refused:
        model.append(encode_block(make(channel)))
    assert refused.value.fault.kind == kind
    assert model.height == 2
    model.append(encode_block(channel.sealed(PLAIN)))  # the right one still follows


def test_an_altered_configuration_that_is_none_is_accepted() -> None:
    channel = PeerChannel()
    channel.add(channel.define("cc", BOTH))
    model = judged(channel.ordered)
    assert model.append(encode_block(altered(channel, ADMIN1, ADMIN2))).codes == (Code.VALID,)


def test_what_is_no_block_is_none() -> None:
    with pytest.raises(BadBlock, match="cannot be read"):
        LedgerModel(b"\xff")
    with pytest.raises(BadBlock, match="out of order"):
        LedgerModel(SMALL_NETWORK[1])


# Members


CA = root("ca")
BELOW = CA.issue("below", ca=True)


def fault(config: MspConfig, who: Holder) -> str | None:
    """What an MSP has against somebody: nothing, something, or everything."""
    try:
        return msp(encode_msp_config(config)).member(who.pem).fault
    except NoMember:
        return None


@pytest.mark.parametrize(
    ("who", "config", "found"),
    [
        (CA.issue("c", "client"), msp_config("M", CA), ""),
        (BELOW.issue("c", "client"), msp_config("M", CA, intermediate_certs=(BELOW.pem,)), ""),
        (CA.issue("c", "client", lifetime=timedelta(seconds=2)), msp_config("M", CA), ""),
        (CA.issue("c", "client", lifetime=timedelta(0)), msp_config("M", CA), ""),
        (BELOW.issue("c", "client"), msp_config("M", CA), None),
        (root("ca").issue("c", "client"), msp_config("M", CA), None),
        (CA.issue("c", "client").issue("d", "client"), msp_config("M", CA), None),
        (
            CA.issue("c", "client"),
            msp_config("M", CA, intermediate_certs=(BELOW.pem,)),
            "issued by an authority that has others issue for it",
        ),
        (CA, msp_config("M", CA), "a certificate authority"),
        (CA.issue("c"), msp_config("M", CA), "0 node units"),
        (CA.issue("c", "client", "peer"), msp_config("M", CA), "2 node units"),
        (CA.issue("c"), msp_config("M", CA, node_ous=None), ""),
        (CA.issue("c", "client", serial=7), msp_config("M", CA, revocation_list=(CA.revoke(7),)), "revoked"),
        (CA.issue("c", "client", serial=7), msp_config("M", CA, revocation_list=(CA.revoke(8),)), ""),
        (CA.issue("c", "client", serial=7), msp_config("M", CA, revocation_list=(CA.revoke(7, key=BELOW.key),)), ""),
    ],
)
def test_whom_an_organisation_vouches_for(who: Holder, config: MspConfig, found: str | None) -> None:
    assert fault(config, who) == found


def test_both_forms_of_a_certificate_are_one_member() -> None:
    organisation = msp(encode_msp_config(msp_config("M", CA)))
    somebody = CA.issue("c", "client")
    high, low = (CA.reissued(somebody, high_s=form) for form in (True, False))
    assert high.pem != low.pem
    assert organisation.member(high.pem).same == organisation.member(low.pem).same
    assert organisation.member(high.pem).same != organisation.member(CA.issue("c", "client").pem).same


@pytest.mark.parametrize("cut", ["high s", "nothing", "garbage", "other message"])
def test_what_is_no_signature_is_none(cut: str) -> None:
    somebody = CA.issue("c", "client")
    member = msp(encode_msp_config(msp_config("M", CA))).member(somebody.pem)
    right = somebody.signer("M").sign(b"message")
    assert member.signed(b"message", right)
    assert member.signed(b"message", right + b"more")  # as Go reads it
    wrong = {"high s": with_high_s(right), "nothing": b"", "garbage": b"\x30\x03\x02\x01"}.get(cut)
    assert not member.signed(b"message" if wrong is not None else b"another", right if wrong is None else wrong)
