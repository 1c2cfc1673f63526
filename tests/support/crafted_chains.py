"""Chains whose transactions are wrong in every way that a seed can think of, and right often enough to matter."""

import random
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from privysharing.protocol.build import endorse
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.codec.rwsets import encode_tx_rwset
from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_chaincode_event,
    encode_proposal_response_payload,
)
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.range_reads import RangeReads
from privysharing.protocol.rwsets import (
    VALIDATION_PARAMETER,
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    MetadataWrite,
    NamespaceRwSet,
    RangeQuery,
    Read,
    TxRwSet,
    Version,
    Write,
)
from privysharing.protocol.transactions import ChaincodeAction, ChaincodeEvent, ChaincodeId, Response
from tests.support.authorities import root
from tests.support.judging import ADMIN2, CC, CLIENT1, CLIENT2, ORDERER, ORG1_CA, PEER1, PEER2, Tx
from tests.support.peer_chains import PeerChannel

STRANGER = root("elsewhere").issue("peer", "peer").signer("Org1MSP")
NOBODY = ORG1_CA.issue("nobody").signer("Org1MSP")  # of no role
TWICE = ORG1_CA.issue("both", "peer", "client").signer("Org1MSP")
AUTHORITY = ORG1_CA.signer("Org1MSP")
ENDORSERS = (PEER1, PEER2, CLIENT1, ADMIN2, STRANGER, NOBODY, TWICE, AUTHORITY, ORDERER)
KEYS = tuple("abcdefgh")
COLLECTIONS = ("_implicit_org_Org1MSP", "own", "secret")
NO_COLLECTIONS = ("_implicit_org_NoMSP", "undefined")
KEY_POLICIES = tuple(
    encode_signature_policy(parse_policy(text)) for text in ("OR('Org1MSP.peer')", "AND('Org1MSP.peer','Org2MSP.peer')")
)


def collections() -> tuple[CollectionConfig, ...]:
    """One that is endorsed as its chaincode, one by an organisation alone."""
    own = encode_application_policy(parse_policy("OR('Org2MSP.peer')"))
    return CollectionConfig(name="secret"), CollectionConfig(name="own", endorsement_policy=own)


class Crafter:
    """Makes blocks for a channel, all of it out of one seed."""

    def __init__(self, seed: int, channel: PeerChannel) -> None:
        self._random = random.Random(seed)
        self._channel = channel
        self._made: list[Tx] = []

    def block(self) -> list[bytes]:
        """Envelopes of a block; mostly of endorsed transactions."""
        return [self._envelope() for _ in range(self._random.randint(1, 8))]

    def _envelope(self) -> bytes:
        if self._made and self._one_in(12):
            tx = self._random.choice(self._made)
            return tx.raw if self._one_in(2) else self._distort(replace(tx, endorsers=self._endorsers())).raw
        tx = Tx(
            namespaces=self._namespaces(),
            endorsers=self._endorsers(),
            creator=self._random.choice(ENDORSERS if self._one_in(8) else (CLIENT1, CLIENT2)),
        )
        if self._one_in(6):
            tx = self._distort(tx)
        self._made.append(tx)
        return tx.raw

    def _one_in(self, n: int) -> bool:
        return self._random.randrange(n) == 0

    def _some(self, values: tuple[Any, ...], most: int) -> list[Any]:
        return sorted(self._random.sample(values, self._random.randint(0, min(most, len(values)))))

    def _endorsers(self) -> tuple[Any, ...]:
        if not self._one_in(4):
            return PEER1, PEER2
        if self._one_in(2):
            return (PEER1,)  # which is enough for some keys
        return tuple(self._random.choices(ENDORSERS, k=self._random.randint(0, 4)))

    def _namespaces(self) -> tuple[NamespaceRwSet, ...]:
        names = ["cc"] if not self._one_in(8) else self._random.choices(("cc", "cc", "other", "nothing"), k=2)
        return tuple(self._namespace(name) for name in names)

    def _namespace(self, name: str) -> NamespaceRwSet:
        return NamespaceRwSet(
            name,
            reads=tuple(Read(key, self._version(name, key)) for key in self._some(KEYS, 1)),
            range_queries=tuple(self._range(name) for _ in range(self._one_in(4))),
            writes=tuple(self._write(key) for key in self._some(KEYS, 3)),
            metadata_writes=tuple(
                MetadataWrite(key, self._metadata()) for key in (self._some(KEYS, 2) if self._one_in(3) else ())
            ),
            collections=tuple(self._collection(name, each) for each in self._collections()),
        )

    def _collections(self) -> list[str]:
        if not self._one_in(3):
            return []
        return self._some(NO_COLLECTIONS if self._one_in(12) else COLLECTIONS, 2)

    def _write(self, key: str) -> Write:
        if self._one_in(5):
            return Write(key, b"", is_delete=self._one_in(2))
        return Write(key, self._random.randbytes(3), is_delete=self._one_in(20))

    def _metadata(self) -> tuple[tuple[str, bytes], ...]:
        if self._one_in(4):
            return ()
        policy = b"\xff" if self._one_in(8) else self._random.choice(KEY_POLICIES)
        return ((VALIDATION_PARAMETER if not self._one_in(6) else "else", policy),)

    def _version(self, name: str, key: str) -> Version | None:
        found = self._channel.ledger.state.get(name, key)
        right = None if found is None else found.version
        return right if not self._one_in(8) else self._wrong_version()

    def _wrong_version(self) -> Version | None:
        height = self._channel.ledger.height
        return self._random.choice((None, Version(0, 0), Version(height, 0), Version(height - 1, 1)))

    def _range(self, name: str) -> RangeQuery:
        start, end = self._some(KEYS, 1), self._some(KEYS, 1)
        bounds = (start[0] if start else "", end[0] if end else "")
        found = list(self._channel.ledger.state.range(name, *bounds))
        exhausted = not self._one_in(3) or not found
        if not exhausted:
            found = found[: self._random.randint(1, len(found))]
        if found and self._one_in(10):
            found.pop()
        recorded = RangeReads(self._random.choice((2, 3, 50)))
        for key, stored in found:
            recorded.add(Read(key, stored.version))
        reads, summary = recorded.done()
        return RangeQuery(
            bounds[0], bounds[1] if exhausted else found[-1][0] if found else "a", exhausted, reads, summary
        )

    def _collection(self, name: str, collection: str) -> CollectionHashedRwSet:
        hashes = tuple(sha256(key.encode()).digest() for key in KEYS[:3])
        reads = []
        for key_hash in self._some(hashes, 2):
            found = self._channel.ledger.state.get_hashed(name, collection, key_hash)
            version = None if found is None else found.version
            reads.append(HashedRead(key_hash, version if not self._one_in(8) else self._wrong_version()))
        value = self._random.choice((b"1", b"2", b""))
        return CollectionHashedRwSet(
            collection,
            tuple(reads),
            tuple(HashedWrite(each, sha256(value).digest(), self._one_in(6)) for each in self._some(hashes, 2)),
            tuple(HashedMetadataWrite(each, self._metadata()) for each in self._some(hashes, 1) if self._one_in(3)),
        )

    def _distort(self, tx: Tx) -> Tx:
        """Make one thing about a transaction wrong; everything above it is signed as it then is."""
        header = tx.header
        action = encode_chaincode_action(ChaincodeAction(self._results(tx), b"", Response(200), CC))
        response = encode_proposal_response_payload(b"x" * 32, action)
        event = encode_chaincode_event(
            ChaincodeEvent(self._random.choice(("cc", "other", "")), header.channel.tx_id, "e", b"")
        )
        choices: list[Callable[[], Tx]] = [
            lambda: replace(tx, tx_id=self._random.choice(("", "00", header.channel.tx_id.upper()))),
            lambda: replace(tx, epoch=1),
            lambda: replace(tx, type=self._random.choice((0, 2, 4, 5, 99))),
            lambda: replace(tx, channel_id="elsewhere"),
            lambda: replace(tx, called=self._random.choice(("", "other", "nothing", "_lifecycle"))),
            lambda: replace(tx, extension=self._broken(header.channel.extension)),
            lambda: replace(tx, channel_header=self._broken(header.channel_bytes)),
            lambda: replace(tx, action_header=self._broken(header.signature_bytes)),
            lambda: replace(tx, proposal_payload=self._broken(tx.proposal_payload)),
            lambda: replace(tx, hash=self._random.choice((b"", b"h" * 32))),
            lambda: replace(tx, results=self._broken(self._results(tx))),
            lambda: replace(tx, events=self._random.choice((event, self._broken(event)))),
            lambda: replace(
                tx, chaincode=self._random.choice((None, ChaincodeId("cc", ""), ChaincodeId("other", "1")))
            ),
            lambda: replace(tx, action=self._random.choice((b"", self._broken(action)))),
            lambda: replace(tx, response_payload=self._random.choice((b"", response, self._broken(response)))),
            lambda: replace(tx, data=self._random.choice((b"", self._random.randbytes(9)))),
            lambda: replace(tx, creator_bytes=self._broken(tx.creator.serialized)),
            lambda: replace(tx, nonce=b""),
            lambda: replace(tx, signature=self._broken(tx.creator.sign(b"something else"))),
            lambda: replace(tx, endorsements=tuple(self._bad_endorsement(tx) for _ in range(3))),
        ]
        return self._random.choice(choices)()

    def _results(self, tx: Tx) -> bytes:
        return encode_tx_rwset(TxRwSet(tx.namespaces))

    def _bad_endorsement(self, tx: Tx) -> Any:
        made = endorse(b"another payload", self._random.choice(ENDORSERS))
        return replace(made, endorser=self._broken(made.endorser)) if self._one_in(2) else made

    def _broken(self, raw: bytes) -> bytes:
        """Some bytes changed, added or taken away."""
        at = self._random.randrange(len(raw) + 1)
        kind = self._random.randrange(4)
        if kind == 0:
            return raw[:at]
        if kind == 1:
            return raw[:at] + self._random.randbytes(self._random.randint(1, 3)) + raw[at:]
        if kind == 2:
            return raw + raw[:at]
        return raw[:at] + self._random.randbytes(1) + raw[at + 1 :]
