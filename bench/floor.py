"""What cryptography alone would allow on this machine: as any library does it, and with tables of the public keys.

The first is the machine's measure, and the bound for whoever verifies as Fabric does; nothing passes the second.
"""

import multiprocessing
import os
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from privysharing.protocol.crypto import SigningIdentity, VerifyingKey
from privysharing.protocol.p256 import WORTH_A_TABLE

_ROUNDS_PER_CLOCK_CHECK = 20


@dataclass(frozen=True, slots=True)
class CryptoWork:
    """Signatures and verifications that one transaction needs, over all processes of the network and the client."""

    signatures: int
    verifications: int

    @classmethod
    def of_transaction(cls, endorsers: int, peers: int) -> "CryptoWork":
        """Client signs proposal and envelope, each endorser its answer; each endorser verifies the proposal, the
        orderer the envelope, each peer the envelope's creator and all endorsements.
        """
        return cls(signatures=2 + endorsers, verifications=endorsers + 1 + peers * (1 + endorsers))

    @classmethod
    def of_query(cls) -> "CryptoWork":
        """Client signs the proposal, one peer verifies it and signs its answer."""
        return cls(signatures=2, verifications=1)


def crypto_floor_tps(work: CryptoWork, seconds: float = 2.0, *, with_tables: bool = False) -> float:
    """Transactions per second when every core does nothing but that work, measured now."""
    cores = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    with context.Pool(cores) as pool:
        return sum(pool.map(_one_core, [(work, seconds, with_tables)] * cores))


def _one_core(job: tuple[CryptoWork, float, bool]) -> float:
    work, seconds, with_tables = job
    key = ec.generate_private_key(ec.SECP256R1())
    public, algorithm, message = key.public_key(), ec.ECDSA(hashes.SHA256()), b"m" * 4096
    signature = SigningIdentity("", b"", b"", key).sign(message)
    frequent = VerifyingKey(public)
    for _ in range(WORTH_A_TABLE if with_tables else 0):
        frequent.verify(message, signature)
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for _ in range(_ROUNDS_PER_CLOCK_CHECK):
            for _ in range(work.signatures):
                key.sign(message, algorithm)
            for _ in range(work.verifications):
                if with_tables:
                    frequent.verify(message, signature)
                else:
                    public.verify(signature, message, algorithm)
        done += _ROUNDS_PER_CLOCK_CHECK
    return done / elapsed
