"""Proof that private values are gone: what each peer that held them has stated and signed, in a file of JSON.

It is verified offline, with nothing but the channel's configuration. It proves who said what: whoever runs a peer can
have copied what it held before.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from privysharing.chaincode.identity import client_identity
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.private_data import SignedPurgeStatement
from privysharing.protocol.purge_statements import BadStatement, verify_statement

FORMAT = 1


class BadProof(Exception):
    """The file proves nothing, or something else."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That the values under these keys (by SHA-256) are gone from the peers of these members, by their own word."""

    channel: str
    contract: str
    collection: str
    asset: str
    members: tuple[str, ...]  # MSP ids
    key_hashes: tuple[bytes, ...]
    statements: tuple[SignedPurgeStatement, ...] = ()

    def with_statements(self, statements: Iterable[SignedPurgeStatement]) -> "Proof":
        """With these instead of those that it had."""
        return replace(self, statements=tuple(statements))

    def save(self, file: Path) -> None:
        """Write it."""
        document = {
            "format": FORMAT,
            "channel": self.channel,
            "contract": self.contract,
            "collection": self.collection,
            "asset": self.asset,
            "members": self.members,
            "key_hashes": [key_hash.hex() for key_hash in self.key_hashes],
            "statements": [
                {"statement": b64encode(each.statement).decode(), "signature": b64encode(each.signature).decode()}
                for each in self.statements
            ],
        }
        file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> "Proof":
        """Read one. Raises BadProof."""
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            if facts.pop("format") != FORMAT:
                raise BadProof(f"{file} is not of format {FORMAT}")
            return cls(
                channel=_text(facts, "channel"),
                contract=_text(facts, "contract"),
                collection=_text(facts, "collection"),
                asset=_text(facts, "asset"),
                members=tuple(str(member) for member in _list(facts, "members")),
                key_hashes=tuple(bytes.fromhex(key_hash) for key_hash in _list(facts, "key_hashes")),
                statements=tuple(
                    SignedPurgeStatement(_bytes(each, "statement"), _bytes(each, "signature"))
                    for each in _list(facts, "statements")
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadProof(f"{file} is no proof of a purge: {error!r}") from None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What one peer has confirmed: of how many keys, and when at the latest."""

    msp_id: str
    peer: str
    keys: int
    time_ns: int


def verify_proof(proof: Proof, config: ChannelConfig) -> tuple[Sequence[Confirmed], Mapping[str, int]]:
    """Who confirmed what; and for each member no peer of which has confirmed all keys, how many one lacks at least.

    Who the members are is the word of whoever made the proof.
    Raises BadProof for a statement that is not what it claims to be, or is about something else, and for no key at all.
    """
    wanted = frozenset(proof.key_hashes)
    if proof.channel != config.channel_id:
        raise BadProof(f"the proof is about channel {proof.channel}, not {config.channel_id}")
    if not wanted or not proof.members:
        raise BadProof("the proof is about no key, or nobody's")
    confirmed: dict[tuple[str, str], dict[bytes, int]] = {}
    for signed in proof.statements:
        try:
            peer, statement = verify_statement(signed, config)
        except BadStatement as error:
            raise BadProof(str(error)) from None
        about = (statement.namespace, statement.collection)
        if about != (proof.contract, proof.collection) or statement.key_hash not in wanted:
            raise BadProof(f"a statement by {peer.msp_id} is about something else")
        keys = confirmed.setdefault((peer.msp_id, client_identity(peer.serialized).enrollment_id), {})
        keys[statement.key_hash] = statement.time_ns
    most = dict.fromkeys(proof.members, 0)
    for (msp_id, _), keys in confirmed.items():
        most[msp_id] = max(most.get(msp_id, 0), len(keys))
    rows = [
        Confirmed(msp_id, peer, len(keys), max(keys.values())) for (msp_id, peer), keys in sorted(confirmed.items())
    ]
    return rows, {member: len(wanted) - number for member, number in most.items() if number < len(wanted)}


def _text(facts: Mapping[str, Any], name: str) -> str:
    if not isinstance(facts[name], str):
        raise TypeError(name)
    return str(facts[name])


def _list(facts: Mapping[str, Any], name: str) -> list[Any]:
    if not isinstance(facts[name], list):
        raise TypeError(name)
    return list(facts[name])


def _bytes(facts: Mapping[str, Any], name: str) -> bytes:
    return b64decode(_text(facts, name), validate=True)
