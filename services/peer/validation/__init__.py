"""A peer's verdict on a block: `(block, state) -> verdicts and updates`, and nothing else.

Purpose: decide for every transaction of a block, in Fabric's order of checks and with Fabric's codes, whether it is
valid, and what the valid ones change. Read `validate` first: it is the table of contents of the others.
Data in: a block as ordered, the results of its signature checks, the channel configuration in force, a view of the
state before the block. Data out: a `Judgement`.
Does not: verify signatures (`signatures` lists them, so that the caller can spread the work), read files, write
anything, or know the time.
Failure: a bad transaction is a code. An exception means that no verdict may be given and the channel must stop: a
look-up that failed, a configuration that cannot be applied, a definition that names an unknown plugin.
"""
