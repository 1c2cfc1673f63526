"""The peer: endorses proposals, and keeps every block of its channels with what the blocks come to.

Purpose: simulate and sign what clients propose; follow an orderer, judge each block, store it, tell who listens; hold
the private data of the collections that the peer's organisation is a member of, and exchange it with other members.
Does not: order anything, trust what an orderer sends, or let one channel's trouble reach another.
Data in: proposals and seeks over gRPC, blocks from orderers. Data out: endorsements, blocks and events.
Failure and recovery: refusals are values that go back to the caller. A fault (storage, or two blocks at one height)
stops the channel or the process; the block files tell the next start everything but private values, which other members
have.

A block's way: `block_feed` -> `committer` (`verifier` may find the signers, `validation` judges, `private_data` finds
what is private, `ledger` stores) -> `events`.
A proposal's way: `rpc` -> `endorsement` -> `chaincode_host`, and for private writes `private_data`.
`channel` holds what belongs to one channel, `node` puts everything together, `main` runs it as a process. `offline`
is for peers that are stopped.
"""
