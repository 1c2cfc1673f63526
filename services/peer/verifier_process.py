"""The process that verifies signatures for a peer that does not keep up; `verifier` is the peer's side of it.

At first it says which release it is, in a line: two releases may judge by different rules.
Request: a line of JSON [number, channel id, bytes of the configuration, bytes of each envelope], then all these bytes.
Answer: a line of JSON [the request's number, seconds that it took, who signed each envelope].
"""

import json
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from itertools import accumulate, pairwise
from typing import BinaryIO, Final

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.configs import parse_config
from privysharing.protocol.reading import ReadTransaction, read_transaction
from privysharing.protocol.signers import Signers, verify_all
from services.runtime.process import settle_memory

CONFIGS_KEPT: Final = 64  # one for each channel that catches up

RELEASE: Final = version("privysharing")  # read once: the files of a process that runs may be replaced

# Whether the creator signed, and which endorsements count, by their places in the transaction.
Signed = tuple[bool, Sequence[int]]


def encode_request(number: int, envelopes: Sequence[bytes], config: ChannelConfig) -> bytes:
    """What the peer writes."""
    head = json.dumps([number, config.channel_id, len(config.raw), [len(envelope) for envelope in envelopes]])
    return b"".join((head.encode(), b"\n", config.raw, *envelopes))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until they end, which they do with the peer at the latest."""
    answers.write(RELEASE.encode() + b"\n")
    answers.flush()
    while head := requests.readline():
        number, channel_id, config_size, sizes = json.loads(head)
        body = requests.read(config_size + sum(sizes))
        if len(body) < config_size + sum(sizes):
            return
        started = time.perf_counter()
        ends = list(accumulate(sizes, initial=config_size))
        envelopes = [body[start:end] for start, end in pairwise(ends)]
        signed = who_signed(envelopes, _config(channel_id, body[:config_size]))
        answers.write(json.dumps([number, time.perf_counter() - started, signed]).encode() + b"\n")
        answers.flush()


def who_signed(envelopes: Sequence[bytes], config: ChannelConfig) -> list[Signed]:
    """Of each envelope of a block."""
    transactions = [read_transaction(envelope) for envelope in envelopes]
    signers = verify_all(transactions, config.channel_id, config.msps)
    return [(by.creator, _places(tx, by)) for tx, by in zip(transactions, signers, strict=True)]


def endorsers_of(transaction: ReadTransaction) -> list[bytes]:
    """Who claims to have endorsed it, as places count; nobody where it cannot be read."""
    if transaction.endorsed is None:
        return []
    return [endorsement.endorser for endorsement in transaction.endorsed.transaction.endorsements]


def _places(transaction: ReadTransaction, signers: Signers) -> list[int]:
    """Where the endorsers stand that signed. Any place of the same bytes is as good as any other."""
    places = {endorser: place for place, endorser in enumerate(endorsers_of(transaction))}
    return [places[endorser.serialized] for endorser in signers.endorsers]


@lru_cache(CONFIGS_KEPT)
def _config(channel_id: str, raw: bytes) -> ChannelConfig:
    return ChannelConfig.from_config(channel_id, parse_config(raw))


if __name__ == "__main__":
    for which in (signal.SIGTERM, signal.SIGINT):  # systemd sends them to all, and the peer still drains
        signal.signal(which, signal.SIG_IGN)
    settle_memory()
    with suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
