"""Messages as honest parties make them, part by part: a `hand` sees each part before what covers it is made.

So whatever the hand does to a part, ids, hashes and signatures outside of it fit, and the spoilt part is reached.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from privysharing.protocol.batches import BatchItem
from privysharing.protocol.blocks import Block, BlockHeader, BlockSignature, MetadataIndex, data_hash, header_bytes
from privysharing.protocol.build import endorsement_message
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.config import ConfigGroup, ConfigSignature, ConfigUpdate, ConfigUpdateEnvelope
from privysharing.protocol.channel.settings import BatchSize, ConsensusState, ConsensusType
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec import lifecycle
from privysharing.protocol.codec.batches import encode_batch_request
from privysharing.protocol.codec.blocks import (
    encode_block,
    encode_last_config,
    encode_orderer_metadata,
    encode_orderer_metadata_value,
    wrap_metadata,
)
from privysharing.protocol.codec.collections import encode_collections
from privysharing.protocol.codec.config_values import (
    encode_acls,
    encode_addresses,
    encode_batch_size,
    encode_batch_timeout,
    encode_capabilities,
    encode_consensus_type,
)
from privysharing.protocol.codec.configs import encode_config_update, encode_config_update_envelope
from privysharing.protocol.codec.deliver import encode_seek_info
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
)
from privysharing.protocol.codec.ordering import encode_log_position, encode_record
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.codec.rwsets import encode_tx_rwset
from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_chaincode_event,
    encode_chaincode_header_extension,
    encode_endorser_transaction,
    encode_invocation,
    encode_proposal,
    encode_proposal_payload,
    encode_proposal_response_payload,
    encode_signed_proposal,
    proposal_hash,
)
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import (
    NEWEST,
    NEXT_COMMIT,
    OLDEST,
    SeekBehavior,
    SeekContentType,
    SeekInfo,
    SeekKind,
    SeekPosition,
)
from privysharing.protocol.envelopes import ChannelHeader, SignatureHeader, TxId, compute_tx_id
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.lifecycle import ChaincodeDefinition
from privysharing.protocol.ordering import LogPosition, RecordClass, Regular, TimeToCut
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.rwsets import (
    VALIDATION_PARAMETER,
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    MerkleSummary,
    MetadataWrite,
    NamespaceRwSet,
    RangeQuery,
    Read,
    TxRwSet,
    Version,
    Write,
)
from privysharing.protocol.transactions import (
    ChaincodeAction,
    ChaincodeEvent,
    ChaincodeId,
    ChaincodeInput,
    Endorsement,
    Response,
    SignedProposal,
)
from tests.fuzz.material import (
    ADMINS,
    CHAINCODE,
    CHANNEL,
    CLIENT,
    NOW_NS,
    ORDERER,
    ORDERER_ADMIN,
    OTHER_CLIENT,
    PEERS,
    STRANGER,
    identities,
)
from tests.fuzz.mutate import Hand
from tests.support.config_trees import members_by_version, with_group, with_policy, with_value

TRANSIENT_CANARY = b"canary-transient-5b1f"  # what a client hands to its endorsers and to nobody else
POLICIES = ("OR('Org1MSP.peer')", "AND('Org1MSP.peer', 'Org2MSP.peer')", "OutOf(2, 'Org1MSP.member', 'Org2MSP.admin')")
KEYS = ("k0", "k1", "k2", "k3", "guarded", "\x00kind\x00a\x00")
HASHES = tuple(bytes((number,)) * 32 for number in range(4))


def header_parts(
    hand: Hand,
    who: SigningIdentity,
    kind: int,
    channel_id: str,
    nonce: bytes,
    extension: bytes = b"",
    *,
    with_id: bool = True,
) -> tuple[bytes, bytes]:
    """A channel header whose id fits, and a signature header, encoded."""
    creator, nonce = hand(who.serialized), hand(nonce)
    channel = ChannelHeader(
        type=kind,
        channel_id=channel_id,
        tx_id=compute_tx_id(nonce, creator) if with_id else TxId(""),
        timestamp_ns=NOW_NS,
        extension=hand(extension),
    )
    return hand(encode_channel_header(channel)), hand(encode_signature_header(SignatureHeader(creator, nonce)))


def envelope(hand: Hand, who: SigningIdentity, channel_header: bytes, signature_header: bytes, data: bytes) -> bytes:
    """A signed envelope."""
    payload = hand(encode_payload(channel_header, signature_header, hand(data)))
    return hand(encode_envelope(payload, hand(who.sign(payload))))


def signed_proposal(
    hand: Hand,
    who: SigningIdentity,
    chaincode: str,
    arguments: Sequence[bytes],
    nonce: bytes,
    channel_id: str = CHANNEL,
) -> bytes:
    """A protos.SignedProposal with a canary among its transient data."""
    chaincode_id = ChaincodeId(chaincode)
    extension = encode_chaincode_header_extension(chaincode_id)
    kind = HeaderType.ENDORSER_TRANSACTION
    channel_header, signature_header = header_parts(hand, who, kind, channel_id, nonce, extension)
    invocation = hand(encode_invocation(chaincode_id, ChaincodeInput(tuple(map(hand, arguments)))))
    payload = hand(encode_proposal_payload(invocation, {"secret": TRANSIENT_CANARY}))
    proposal = hand(encode_proposal(channel_header, signature_header, payload))
    return hand(encode_signed_proposal(SignedProposal(proposal, hand(who.sign(proposal)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What an endorser transaction claims to be."""

    rwset: TxRwSet
    nonce: bytes
    chaincode: str = CHAINCODE
    creator: SigningIdentity = CLIENT
    endorsers: tuple[SigningIdentity, ...] = PEERS
    event: ChaincodeEvent | None = None


def transaction(hand: Hand, call: Call) -> bytes:
    """An envelope of an endorsed transaction: hash, endorsements and signature are over what the hand has left."""
    chaincode_id = ChaincodeId(call.chaincode, "1")
    extension = encode_chaincode_header_extension(ChaincodeId(call.chaincode))
    kind = HeaderType.ENDORSER_TRANSACTION
    channel_header, signature_header = header_parts(hand, call.creator, kind, CHANNEL, call.nonce, extension)
    invocation = encode_invocation(ChaincodeId(call.chaincode), ChaincodeInput((b"f", b"x")))
    proposal_payload = hand(encode_proposal_payload(hand(invocation)))
    event = b"" if call.event is None else encode_chaincode_event(call.event)
    action = ChaincodeAction(hand(encode_tx_rwset(call.rwset)), hand(event), Response(200), chaincode_id)
    action_header = hand(signature_header)
    hashed = hand(proposal_hash(channel_header, action_header, proposal_payload))
    response_payload = hand(encode_proposal_response_payload(hashed, hand(encode_chaincode_action(action))))
    endorsements = [_endorsement(hand, response_payload, endorser) for endorser in call.endorsers]
    data = encode_endorser_transaction(action_header, proposal_payload, response_payload, endorsements)
    return envelope(hand, call.creator, channel_header, signature_header, data)


def _endorsement(hand: Hand, response_payload: bytes, endorser: SigningIdentity) -> Endorsement:
    name = hand(endorser.serialized)
    return Endorsement(name, hand(endorser.sign(endorsement_message(response_payload, name))))


def some_call(chance: random.Random, nonce: bytes) -> Call:
    """A transaction that an honest client could have made, or a lying one with lying endorsers."""
    namespaces = [_some_namespace(chance, CHAINCODE)]
    if chance.random() < 0.15:
        namespaces.append(_some_namespace(chance, chance.choice(("other", "_lifecycle", "", CHAINCODE))))
    endorsers: tuple[SigningIdentity, ...] = PEERS
    if chance.random() < 0.2:
        endorsers = tuple(chance.choice((*PEERS, CLIENT, STRANGER, *ADMINS)) for _ in range(chance.randrange(4)))
    event = ChaincodeEvent(CHAINCODE, TxId("id"), "Shared", b"payload") if chance.random() < 0.3 else None
    creator = chance.choice((CLIENT, OTHER_CLIENT, ADMINS[0])) if chance.random() < 0.95 else STRANGER
    return Call(rwset=TxRwSet(tuple(namespaces)), nonce=nonce, creator=creator, endorsers=endorsers, event=event)


def _some_namespace(chance: random.Random, name: str) -> NamespaceRwSet:
    policy = encode_signature_policy(parse_policy(chance.choice(POLICIES)))
    entries = chance.choice(((), ((VALIDATION_PARAMETER, policy),), (("X", b"1"), (VALIDATION_PARAMETER, b"\xff"))))
    keys = chance.sample(KEYS, chance.randint(0, 3))
    return NamespaceRwSet(
        namespace=name,
        reads=tuple(Read(key, _some_version(chance)) for key in chance.sample(KEYS, chance.randint(0, 2))),
        range_queries=tuple(_some_range(chance) for _ in range(chance.choice((0, 0, 0, 1, 2)))),
        writes=tuple(Write(key, chance.randbytes(chance.randrange(9)), chance.random() < 0.2) for key in keys),
        metadata_writes=(MetadataWrite(chance.choice(KEYS), entries),) if chance.random() < 0.2 else (),
        collections=(_some_collection(chance, entries),) if chance.random() < 0.4 else (),
    )


def _some_collection(chance: random.Random, entries: tuple[tuple[str, bytes], ...]) -> CollectionHashedRwSet:
    return CollectionHashedRwSet(
        chance.choice(("secret", "secret", "unknown", "_implicit_org_Org1MSP")),
        reads=tuple(HashedRead(chance.choice(HASHES), _some_version(chance)) for _ in range(chance.randrange(3))),
        writes=tuple(
            HashedWrite(chance.choice(HASHES), chance.choice(HASHES), chance.random() < 0.2, chance.random() < 0.1)
            for _ in range(chance.randrange(3))
        ),
        metadata_writes=(HashedMetadataWrite(chance.choice(HASHES), entries),) if chance.random() < 0.2 else (),
        private_rwset_hash=b"h" * 32,
    )


def _some_version(chance: random.Random) -> Version | None:
    return chance.choice((None, Version(0, 0), Version(1, 0), Version(2, 1), Version(2**63, 0), Version(1, 2**64 - 1)))


def _some_range(chance: random.Random) -> RangeQuery:
    start, end = chance.choice((("", ""), ("k0", "k3"), ("k3", "k0"), ("", "k9"), ("\x00", "\x00\U0010ffff")))
    reads = tuple(Read(key, Version(1, 0)) for key in KEYS[: chance.randrange(4)])
    summary = MerkleSummary(chance.choice((0, 1, 2, 50, 2**32 - 1)), chance.choice((1, 2**32 - 1)), HASHES[:2])
    kind = chance.randrange(3)
    return RangeQuery(start, end, chance.random() < 0.7, reads if kind == 1 else None, summary if kind == 2 else None)


def seek(hand: Hand, chance: random.Random, nonce: bytes, who: SigningIdentity) -> bytes:
    """A request to Deliver that ends by itself."""
    numbers = (0, 1, 2, 3, 2**63, 2**64 - 1)
    places = (OLDEST, NEWEST, NEXT_COMMIT, SeekPosition(SeekKind.UNSET), *map(SeekPosition.at, numbers))
    request = SeekInfo(
        chance.choice(places),
        chance.choice(places),
        SeekBehavior.FAIL_IF_NOT_READY,
        content_type=chance.choice((SeekContentType.BLOCK, SeekContentType.HEADER_WITH_SIG_BYTES)),
    )
    channel_header, signature_header = header_parts(hand, who, HeaderType.DELIVER_SEEK_INFO, CHANNEL, nonce)
    return envelope(hand, who, channel_header, signature_header, hand(encode_seek_info(request)))


def some_tree(hand: Hand, chance: random.Random, root: ConfigGroup) -> tuple[ConfigGroup, str]:
    """The configuration with one thing changed, whose content the hand may spoil; and the group that it is in."""
    values: dict[str, tuple[str, bytes]] = {
        "BatchSize": ("Orderer", encode_batch_size(BatchSize(max_message_count=chance.choice((1, 7, 10_000))))),
        "BatchTimeout": ("Orderer", encode_batch_timeout(chance.choice(("1s", "250ms", "1h")))),
        "ConsensusType": (
            "Orderer", encode_consensus_type(ConsensusType("solo", state=ConsensusState.MAINTENANCE)),
        ),
        "ACLs": ("Application", encode_acls({"peer/Propose": "/Channel/Application/Readers"})),
        "Capabilities": ("Application", encode_capabilities(["V2_0"])),
        "Endpoints": ("Orderer/OrdererMSP", encode_addresses(["orderer0:7050"])),
        "MSP": ("Application/Org1MSP", root.groups["Application"].groups["Org1MSP"].values["MSP"].value),
    }  # fmt: skip
    choice = chance.randrange(10)
    if choice < 7:
        name = chance.choice(list(values))
        group, value = values[name]
        return with_value(root, group, name, hand(value)), group
    application = root.groups["Application"]
    if choice == 7:
        policy = application.policies["Writers"]
        return with_policy(root, "Application", "Writers", replace(policy, value=hand(policy.value))), "Application"
    if choice == 8:
        return with_group(root, "Application", "Org3", application.groups["Org2MSP"]), "Application"
    return with_group(root, "Application", "Org2MSP", None), "Application"


def config_update(hand: Hand, chance: random.Random, config: ChannelConfig, nonce: bytes) -> bytes:
    """A CONFIG_UPDATE envelope, signed by all administrators."""
    root = config.config.root
    changed, path = some_tree(hand, chance, root)
    read, write = _difference(root, changed, path.split("/"))
    update = hand(encode_config_update(ConfigUpdate(config.channel_id, read, write)))
    signatures = []
    for signer in (*ADMINS, ORDERER_ADMIN):
        header = hand(encode_signature_header(SignatureHeader(signer.serialized, b"n")))
        signatures.append(ConfigSignature(header, hand(signer.sign(header + update))))
    data = hand(encode_config_update_envelope(ConfigUpdateEnvelope(update, tuple(signatures))))
    kind = HeaderType.CONFIG_UPDATE
    channel_header, signature_header = header_parts(hand, ADMINS[0], kind, config.channel_id, nonce)
    return envelope(hand, ADMINS[0], channel_header, signature_header, data)


def _difference(old: ConfigGroup, new: ConfigGroup, path: Sequence[str]) -> tuple[ConfigGroup, ConfigGroup]:
    """Read and write set of a change in the group at `path`: the groups above by version, that one as a whole."""
    name, *rest = path
    child_old, child_new = old.groups[name], new.groups[name]
    if rest:
        read, write = _difference(child_old, child_new, rest)
    else:
        read = members_by_version(child_old)
        write = _next_version(child_old, child_new)
    bare = ConfigGroup(version=old.version, mod_policy=old.mod_policy)
    return replace(bare, groups={name: read}), replace(bare, groups={name: write})


def _next_version(old: ConfigGroup, new: ConfigGroup) -> ConfigGroup:
    known = members_by_version(old)
    members: dict[str, dict[str, object]] = {}
    same_members = True
    for kind in ("groups", "values", "policies"):
        before, after, shown = getattr(old, kind), getattr(new, kind), getattr(known, kind)
        same_members = same_members and set(before) == set(after)
        members[kind] = {
            name: shown[name]
            if before.get(name) == each
            else replace(each, version=before[name].version + 1 if name in before else 0, mod_policy="Admins")
            for name, each in after.items()
        }
    version = old.version if same_members else old.version + 1
    return ConfigGroup(version=version, mod_policy=old.mod_policy, **members)  # type: ignore[arg-type]


def configuration(hand: Hand, chance: random.Random, config: ChannelConfig, nonce: bytes) -> bytes:
    """A CONFIG envelope as an orderer makes it, of an update; of an honest one where the spoilt one leads nowhere."""
    update = config_update(hand, chance, config, nonce)
    try:
        derived = derive(config, update)
    except ProtocolError:
        derived = derive(config, config_update(Hand(), random.Random(0), config, nonce))
    channel_header, signature_header = header_parts(
        hand, ORDERER, HeaderType.CONFIG, config.channel_id, nonce, with_id=False
    )
    return envelope(hand, ORDERER, channel_header, signature_header, hand(derived))


def block(hand: Hand, envelopes: Sequence[bytes], number: int, previous_hash: bytes, nonce: bytes) -> bytes:
    """A block that an orderer has signed, whatever is in it."""
    header = BlockHeader(number, previous_hash, hand(data_hash(envelopes)))
    value = hand(encode_orderer_metadata_value(0, wrap_metadata(encode_log_position(LogPosition(number)))))
    signature_header = hand(encode_signature_header(SignatureHeader(hand(ORDERER.serialized), nonce)))
    signature = hand(ORDERER.sign(value + signature_header + header_bytes(header)))
    metadata = [b""] * len(MetadataIndex)
    metadata[MetadataIndex.SIGNATURES] = hand(
        encode_orderer_metadata(value, [BlockSignature(signature_header, signature)])
    )
    metadata[MetadataIndex.LAST_CONFIG] = hand(encode_last_config(0))
    return hand(encode_block(Block(header, tuple(envelopes), tuple(metadata))))


def batch(hand: Hand, chance: random.Random, payloads: Sequence[bytes]) -> bytes:
    """A privysharing.v1.BatchRequest."""
    items = [
        BatchItem(chance.choice((number, number, 0, 2**64 - 1)), chance.choice((0, 0, 1, 2**32 - 1)), hand(payload))
        for number, payload in enumerate(payloads, 1)
    ]
    return hand(encode_batch_request(items))


def record(hand: Hand, chance: random.Random, envelope_bytes: bytes, *, is_config: bool) -> bytes:
    """A record of an ordering log."""
    if chance.random() < 0.15:
        return hand(encode_record(TimeToCut(chance.choice((0, 1, 2, 3, 2**64 - 1)))))
    kind = RecordClass.CONFIG if is_config else RecordClass.NORMAL
    sequence = chance.choice((1, 2**64 - 1)) if chance.random() < 0.1 else 0
    original = chance.choice((1, 5, 2**63 - 1, -1)) if chance.random() < 0.2 else 0
    return hand(encode_record(Regular(hand(envelope_bytes), sequence, kind, original)))


def definition(chance: random.Random) -> ChaincodeDefinition:
    """A definition of the contract that somebody may approve or commit."""
    policy = encode_application_policy(parse_policy(chance.choice(POLICIES)))
    members = encode_signature_policy(parse_policy(POLICIES[0]))
    collection = CollectionConfig(
        name="secret", member_orgs_policy=members, maximum_peer_count=1, endorsement_policy=policy
    )
    return ChaincodeDefinition(
        sequence=chance.choice((0, 1, 2, 3, -1)),
        version=chance.choice(("1", "2", "")),
        validation_parameter=policy,
        collections=encode_collections([collection]),
    )


def lifecycle_arguments(chance: random.Random) -> tuple[bytes, ...]:
    """A call of _lifecycle."""
    name, sequence = chance.choice((CHAINCODE, "fresh", "no such")), chance.choice((0, 1))
    calls: tuple[Callable[[], tuple[bytes, bytes]], ...] = (
        lambda: (
            b"ApproveChaincodeDefinitionForMyOrg", lifecycle.encode_approve_args(name, definition(chance), "package:1"),
        ),
        lambda: (b"CommitChaincodeDefinition", lifecycle.encode_definition_args(name, definition(chance))),
        lambda: (b"CheckCommitReadiness", lifecycle.encode_definition_args(name, definition(chance))),
        lambda: (b"QueryChaincodeDefinition", lifecycle.encode_query_args(name)),
        lambda: (b"QueryChaincodeDefinitions", b""),
        lambda: (b"QueryApprovedChaincodeDefinition", lifecycle.encode_query_approved_args(name, sequence)),
    )  # fmt: skip
    return chance.choice(calls)()


def parts() -> list[bytes]:
    """Parts of all kinds of messages: what a mutation puts where something else belongs."""
    chance, hand = random.Random(1), Hand()
    transaction(hand, some_call(chance, b"n" * 24))
    signed_proposal(hand, CLIENT, CHAINCODE, (b"ReadAsset", b"a"), b"n" * 24)
    seek(hand, chance, b"n" * 24, PEERS[0])
    shown = (part for part in hand.parts if part and TRANSIENT_CANARY not in part)
    return [*identities(), *dict.fromkeys(shown)]
