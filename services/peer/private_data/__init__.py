"""Values that only some organisations may hold: everybody else of a channel has their hashes.

Purpose: keep the private sets of transactions from endorsement (`transient`) to commit and beyond (`sidedb`), get them
to and from other members, let go of them when they expire, and have them leave the disk when they are purged.
Data in: sets as endorsers made them, blocks, what other members have. Data out: sets by place, values by hash.
Does not: decide about a transaction. A block is judged by hashes, and never waits long for what stands behind them.
Failure: what is kept is durable before an endorsement, or a block, says so. A set that cannot be had counts as missing,
is shown as such, and is looked for until it is found. What is stored and damaged is named, and stays
(`DamagedDatabase`, `DamagedRecord`): a backup has it, or other members have.

A value is looked up by the version of its hash in the state: block and transaction say which set it is in. So nothing
has to be kept in step with the state, and a value that does not match what the channel agreed on is not returned.

Read in this order: `types` (the ports), `collections`, `needed` and `sets`; what is stored: `records`, `changes`,
`carrying`, `sidedb`, `transient`, `keeping`, `resolving`, `store`, `erasing`; then what travels: `dissemination`,
`membership`, `fellows`, `lines`, `pushing`, `pulling`, `reconciler`, `nonces`, `service`, `statements`, `exchange`,
`metrics`.
"""
