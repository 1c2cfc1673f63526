"""A peer's verdict on a block: `(block, state) -> verdicts and updates`, and nothing else.

Purpose: decide for every transaction of a block, in Fabric's order of checks and with Fabric's codes, whether it is
valid, and what the valid ones change. Read `validate` first: it is the table of contents of the others.
Data in: the block's transactions, read once (`read_block`); for each, whose signatures are good
(`privysharing.protocol.signers`, which the caller may spread over threads); the channel configuration in force; a view
of the state before the block. Data out: a `Judgement`.
Does not: verify signatures, read files, write anything, or know the time.
Failure: a bad transaction is a code. `ChannelHalted`, or whatever a failing view raises, means that no verdict may be
given and that the peer must stop following the channel: a guess would fork it.

INVALID_WRITESET is never given here: it is for keys that a state database cannot hold, and ours holds any.
"""
