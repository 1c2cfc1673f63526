"""Collects what the members of a collection state about purged keys: each signs that it holds no byte of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from privysharing.protocol.private_data import (
    WANTED_MAX,
    PurgedAnswer,
    PurgedAsk,
    PurgeStatement,
    SignedPurgeStatement,
)
from privysharing.protocol.purge_statements import BadStatement, read_statement
from privysharing.rpc.errors import NodeError
from privysharing.rpc.private_data import PrivateDataClient
from privysharing.sdk.profile import Node
from privysharing.sdk.vouching import known_peer

ASK_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.5  # a purge waits for the next quiet moment of each peer's disk

Progress = Callable[[int, int], None]  # statements that have come, and all that there are to come


@dataclass(frozen=True, slots=True)
class StatedPurge:
    """One peer's word on one key."""

    peer: str
    statement: PurgeStatement
    signed: SignedPurgeStatement  # evidence: `protocol.purge_statements.verify_statement` needs the channel only


@dataclass(frozen=True, slots=True)
class PurgeStatements:
    """What came of asking: statements, and for each peer that did not state everything, why."""

    stated: tuple[StatedPurge, ...]
    lacking: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether every peer stated the purge of every key."""
        return not self.lacking


class Witness:
    """One peer that may state purges."""

    def __init__(self, node: Node, client: PrivateDataClient, channel_id: str) -> None:
        self.node = node
        self.problem = "not asked yet"
        self._client = client
        self._channel_id = channel_id
        self.stated: dict[bytes, StatedPurge] = {}  # by key hash

    async def ask(self, ask: PurgedAsk) -> None:
        """Note what it states of these keys. What is wrong with it is a problem, and no statement."""
        find = known_peer(self.node)
        try:
            answer = await self._client.ask(self._channel_id, ask, find, timeout_s=ASK_SECONDS)
            for signed in answer.statements if isinstance(answer, PurgedAnswer) else ():
                _, statement = read_statement(signed, self._channel_id, find)
                if not _answers(statement, ask):
                    raise BadStatement("it stated what nobody asked")  # which would spoil a proof that holds it
                self.stated[statement.key_hash] = StatedPurge(self.node.name, statement, signed)
        except (NodeError, BadStatement) as error:
            self.problem = str(error)
        else:
            self.problem = "the value is not gone yet"

    def lacks(self, namespace: str, collection: str, key_hashes: Sequence[bytes]) -> tuple[bytes, ...]:
        """Of which of these keys it has stated nothing."""
        of = {
            key_hash
            for key_hash, each in self.stated.items()
            if (each.statement.namespace, each.statement.collection) == (namespace, collection)
        }
        return tuple(key_hash for key_hash in key_hashes if key_hash not in of)


async def collect_statements(
    witnesses: Sequence[Witness],
    namespace: str,
    collection: str,
    key_hashes: Sequence[bytes],
    *,
    timeout_s: float,
    progress: Progress = lambda _came, _all: None,
) -> PurgeStatements:
    """Ask all of them, again and again, until each has stated the purge of each key or the time is over."""
    key_hashes = list(dict.fromkeys(key_hashes))
    deadline = asyncio.get_running_loop().time() + timeout_s

    async def follow(witness: Witness) -> None:
        while lacking := witness.lacks(namespace, collection, key_hashes):
            await witness.ask(PurgedAsk(namespace, collection, lacking[:WANTED_MAX]))
            progress(sum(len(each.stated) for each in witnesses), len(witnesses) * len(key_hashes))
            if witness.lacks(namespace, collection, key_hashes) == lacking:
                if asyncio.get_running_loop().time() + PAUSE_SECONDS > deadline:
                    return
                await asyncio.sleep(PAUSE_SECONDS)

    await asyncio.gather(*map(follow, witnesses))
    return PurgeStatements(
        tuple(stated for witness in witnesses for stated in witness.stated.values()),
        {
            witness.node.name: witness.problem
            for witness in witnesses
            if witness.lacks(namespace, collection, key_hashes)
        },
    )


def _answers(statement: PurgeStatement, ask: PurgedAsk) -> bool:
    where = (statement.namespace, statement.collection)
    return where == (ask.namespace, ask.collection) and statement.key_hash in ask.key_hashes
