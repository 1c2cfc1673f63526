"""What a client program uses: connect to a network, call contracts, wait for commits, keep identities.

Purpose: one asynchronous, typed way from a Python program to a committed transaction, on any network that speaks
Fabric's protocol. `connect` opens a network; `Contract.evaluate` asks, `Contract.submit` writes and waits.
Data in: a connection profile and an identity. Data out: what the contract returns, and receipts.
Does not: decide who may do what (the contract does), or trust one peer's word (it compares endorsements, and
verifies their signatures once one has spoilt a transaction).
Failure: one tree of exceptions (`errors`); `retryable` says whether the same call can succeed later. A call whose
outcome is unknown says so (`CommitUnknown`): `Channel.resubmit` orders the same transaction again, which is safe, and
finds its verdict; a new call may do it twice.

Read in this order: `profile`, `wallet`, `network`, `transactions`, `channel`; then what a channel does by them:
`gathering` (when a call begins), `routing` (whom it may be shown to), `endorsing` and `vouching` (asking peers, and
judging their answers), `failures`, `commits`; for private data `salting` and `purging`.
"""

from privysharing.sdk.channel import Channel, Timeouts
from privysharing.sdk.connections import Transport
from privysharing.sdk.network import Contract, Network, connect
from privysharing.sdk.profile import ConnectionProfile
from privysharing.sdk.transactions import Call, Endorsed, Pending, Receipt
from privysharing.sdk.wallet import Wallet, WalletEntry

__all__ = [
    "Call",
    "Channel",
    "ConnectionProfile",
    "Contract",
    "Endorsed",
    "Network",
    "Pending",
    "Receipt",
    "Timeouts",
    "Transport",
    "Wallet",
    "WalletEntry",
    "connect",
]
