"""A channel of two organisations, envelopes that can be broken anywhere, and a state in dictionaries to judge by."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from privysharing.protocol.blocks import Block
from privysharing.protocol.build import endorse, make_payload, signed
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.genesis import ChannelProfile, OrgProfile, genesis_block
from privysharing.protocol.channel.settings import BatchSize, ConsensusType
from privysharing.protocol.codec.collections import encode_collections
from privysharing.protocol.codec.envelopes import encode_channel_header, encode_envelope, encode_signature_header
from privysharing.protocol.codec.policies import encode_application_policy
from privysharing.protocol.codec.rwsets import encode_tx_rwset
from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_chaincode_header_extension,
    encode_endorser_transaction,
    encode_invocation,
    encode_proposal_payload,
    encode_proposal_response_payload,
    proposal_hash,
)
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import ChannelHeader, Header, SignatureHeader, TxId, compute_tx_id
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.protocol.lifecycle_state import NAMESPACES, definition_structure, store
from privysharing.protocol.policies.dsl import parse_implicit_meta, parse_policy
from privysharing.protocol.policies.signature import ChannelPolicyReference
from privysharing.protocol.rwsets import NamespaceRwSet, TxRwSet, UpdateBatch, Version, VersionedValue
from privysharing.protocol.signers import verify_all
from privysharing.protocol.transactions import (
    ChaincodeAction,
    ChaincodeId,
    ChaincodeInput,
    Endorsement,
    Response,
)
from services.peer.validation.validate import Judgement, read_block, validate_block
from tests.support.authorities import Holder, msp_config, root

CHANNEL = "city"
ORG1_CA, ORG2_CA, ORDERER_CA = root("ca1"), root("ca2"), root("ca0")
META = {name: parse_implicit_meta(f"ANY {name}") for name in ("Readers", "Writers")} | {
    "Admins": parse_implicit_meta("MAJORITY Admins")
}


def org_profile(msp_id: str, ca: Holder) -> OrgProfile:
    """An organisation whose name is not its MSP id."""
    member, peer, admin = (parse_policy(f"OR('{msp_id}.{role}')") for role in ("member", "peer", "admin"))
    policies = {"Readers": member, "Writers": member, "Admins": admin, "Endorsement": peer}
    return OrgProfile(msp_id.removesuffix("MSP"), msp_config(msp_id, ca), policies)


PROFILE = ChannelProfile(
    channel_id=CHANNEL,
    orderer_orgs=(org_profile("OrdererMSP", ORDERER_CA),),
    application_orgs=(org_profile("Org1MSP", ORG1_CA), org_profile("Org2MSP", ORG2_CA)),
    channel_policies=META,
    orderer_policies={**META, "BlockValidation": parse_implicit_meta("ANY Writers")},
    application_policies={
        **META,
        "Endorsement": parse_implicit_meta("MAJORITY Endorsement"),
        "LifecycleEndorsement": parse_implicit_meta("MAJORITY Endorsement"),
    },
    consensus=ConsensusType("solo"),
    batch_size=BatchSize(),
    batch_timeout_s=0.1,
)
GENESIS: Block = genesis_block(PROFILE, nonce=b"genesis nonce", timestamp_ns=1)
CONFIG = ChannelConfig.from_block(GENESIS)

PEER1, PEER2 = ORG1_CA.issue("peer1", "peer").signer("Org1MSP"), ORG2_CA.issue("peer2", "peer").signer("Org2MSP")
CLIENT1, CLIENT2 = ORG1_CA.issue("c1", "client").signer("Org1MSP"), ORG2_CA.issue("c2", "client").signer("Org2MSP")
ADMIN1, ADMIN2 = ORG1_CA.issue("a1", "admin").signer("Org1MSP"), ORG2_CA.issue("a2", "admin").signer("Org2MSP")
ORDERER = ORDERER_CA.issue("orderer", "orderer").signer("OrdererMSP")

CC = ChaincodeId("cc", "1")
_nonces = itertools.count(1)


@dataclass
class DictView:
    """The state before a block, as plain dictionaries."""

    public: dict[tuple[str, str], VersionedValue] = field(default_factory=dict)
    hashed: dict[tuple[str, str, bytes], VersionedValue] = field(default_factory=dict)
    ids: set[TxId] = field(default_factory=set)

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        return self.public.get((namespace, key))

    def range(self, namespace: str, start_key: str, end_key: str) -> Iterator[tuple[str, VersionedValue]]:
        for (of, key), value in sorted(self.public.items()):
            if of == namespace and key >= start_key and (not end_key or key < end_key):
                yield key, value

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        return self.hashed.get((namespace, collection, key_hash))

    def may_have_metadata(self, namespace: str, collection: str = "") -> bool:
        if not collection:
            return any(value.metadata for (of, _), value in self.public.items() if of == namespace)
        return any(value.metadata for place, value in self.hashed.items() if place[:2] == (namespace, collection))

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        return frozenset(self.ids & set(ids))

    def put(self, namespace: str, key: str, value: bytes, version: Version, metadata: bytes = b"") -> None:
        self.public[namespace, key] = VersionedValue(value, version, metadata)

    def apply(self, updates: UpdateBatch) -> None:
        """Commit what a judgement says."""
        for namespace, keys in updates.public.items():
            for key, update in keys.items():
                self.public.pop((namespace, key), None)
                if update.value is not None:
                    self.put(namespace, key, update.value, update.version, update.metadata)
        for place, hashes in updates.hashed.items():
            for key_hash, update in hashes.items():
                self.hashed.pop((*place, key_hash), None)
                if update.value is not None:
                    self.hashed[(*place, key_hash)] = VersionedValue(update.value, update.version, update.metadata)

    def define(
        self,
        chaincode: str,
        policy: str | None = "AND('Org1MSP.peer', 'Org2MSP.peer')",
        collections: Sequence[CollectionConfig] = (),
        **changes: object,
    ) -> None:
        """Commit the definition of a chaincode; policy None: the channel's."""
        parameter = (
            ChannelPolicyReference("/Channel/Application/Endorsement") if policy is None else parse_policy(policy)
        )
        definition = ChaincodeDefinition(
            sequence=1,
            version="1",
            validation_parameter=encode_application_policy(parameter),
            collections=encode_collections(collections),
        )
        store(_LifecycleKeys(self), NAMESPACES, chaincode, definition_structure(replace(definition, **changes)))  # type: ignore[arg-type]


@dataclass
class _LifecycleKeys:
    view: DictView

    def get(self, key: str) -> bytes | None:
        found = self.view.get(LIFECYCLE, key)
        return None if found is None else found.value

    def put(self, key: str, value: bytes) -> None:
        self.view.put(LIFECYCLE, key, value, Version(1, 0))

    def delete(self, key: str) -> None:
        del self.view.public[LIFECYCLE, key]


@dataclass(frozen=True, kw_only=True)
class Tx:
    """An endorser transaction, part by part. What is None is what an honest client would put there."""

    namespaces: tuple[NamespaceRwSet, ...] = ()
    creator: SigningIdentity = CLIENT1
    endorsers: tuple[SigningIdentity, ...] = (PEER1, PEER2)
    type: int = HeaderType.ENDORSER_TRANSACTION
    channel_id: str = CHANNEL
    nonce: bytes = field(default_factory=lambda: next(_nonces).to_bytes(24, "big"))
    creator_bytes: bytes | None = None
    tx_id: str | None = None
    epoch: int = 0
    called: str = "cc"
    extension: bytes | None = None
    channel_header: bytes | None = None
    action_header: bytes | None = None
    proposal_payload: bytes = encode_proposal_payload(encode_invocation(ChaincodeId("cc"), ChaincodeInput((b"f",))))
    hash: bytes | None = None
    results: bytes | None = None
    events: bytes = b""
    chaincode: ChaincodeId | None = CC
    action: bytes | None = None
    response_payload: bytes | None = None
    endorsements: tuple[Endorsement, ...] | None = None
    data: bytes | None = None
    signature: bytes | None = None

    @property
    def header(self) -> Header:
        creator = self.creator.serialized if self.creator_bytes is None else self.creator_bytes
        signature = SignatureHeader(creator, self.nonce)
        tx_id = compute_tx_id(self.nonce, creator) if self.tx_id is None else TxId(self.tx_id)
        extension = encode_chaincode_header_extension(ChaincodeId(self.called))
        channel = ChannelHeader(
            type=self.type,
            channel_id=self.channel_id,
            tx_id=tx_id,
            epoch=self.epoch,
            extension=extension if self.extension is None else self.extension,
        )
        encoded = encode_channel_header(channel) if self.channel_header is None else self.channel_header
        return Header(channel, signature, encoded, encode_signature_header(signature))

    @property
    def raw(self) -> bytes:
        """The envelope."""
        header = self.header
        data = self._data(header) if self.data is None else self.data
        payload = make_payload(header, data)
        if self.signature is not None:
            return encode_envelope(payload, self.signature)
        return signed(payload, self.creator).raw

    def _data(self, header: Header) -> bytes:
        action_header = header.signature_bytes if self.action_header is None else self.action_header
        hashed = proposal_hash(header.channel_bytes, action_header, self.proposal_payload)
        response_payload = encode_proposal_response_payload(hashed if self.hash is None else self.hash, self._action())
        if self.response_payload is not None:
            response_payload = self.response_payload
        endorsements = tuple(endorse(response_payload, endorser) for endorser in self.endorsers)
        return encode_endorser_transaction(
            action_header,
            self.proposal_payload,
            response_payload,
            endorsements if self.endorsements is None else self.endorsements,
        )

    def _action(self) -> bytes:
        results = encode_tx_rwset(TxRwSet(self.namespaces)) if self.results is None else self.results
        action = ChaincodeAction(results, self.events, Response(200), self.chaincode)
        return encode_chaincode_action(action) if self.action is None else self.action


def judge(view: DictView, *envelopes: bytes, number: int = 5, config: ChannelConfig = CONFIG) -> Judgement:
    """The judgement on a block of these envelopes."""
    block = Block(replace(GENESIS.header, number=number), envelopes, ())
    transactions = read_block(block)
    return validate_block(number, transactions, verify_all(transactions, CHANNEL, config.msps), config, view)
