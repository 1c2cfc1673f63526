"""What a peer keeps of a channel: blocks, the state that they make, and the ways to find things in both.

Purpose: take judged blocks, one after the other, and answer for them for ever.
Does not: judge a block, compute a commit hash, know an identity or a policy, or wait: calls block, and belong on a
worker thread.
Data in: `Commit` values. Data out: state (`StateView`, `StateSnapshot`), blocks, transactions, histories.
Failure and recovery: a block is durable when `append` returns, its effects are not: they are a batch with a
savepoint in a database that forgets its newest batches in a crash (`runtime.database`), and `Ledger.open` applies those
again. A torn tail of the block files was never acknowledged and is cut off. Damage in their middle stops the peer
(`DamagedBlock` names the block); a damaged or contradictory database is thrown away and rebuilt from the blocks. A
failed write or sync is final (`StorageError`).

Read in this order: `types`, `memory` (the reference), `expiry` (hashes of private data that go by themselves),
`metadata` (where keys have any), `ledger`, `keys`.
"""
