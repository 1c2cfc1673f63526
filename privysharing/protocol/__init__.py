"""What two organisations must agree on, to the byte.

Purpose: the types, rules and codecs of the ledger protocol (Hyperledger Fabric's own), with nothing around them.
Data in: bytes as received. Data out: frozen domain values that keep those bytes next to what they parse to.
Does not: open sockets or files, read a clock, draw randomness, or know which process is asking.
Failure: bad bytes raise `errors.MalformedMessage`; a rule that says no returns a value (`codes.TxCode`, `False`).

Read in this order: `codes`, `envelopes`, `transactions`, `rwsets`, `blocks`, then `msp`, `policies`, `channel`.
After these: `build` makes messages; `reading` and `signers` take a transaction apart; `block_checks`, `block_updates`
and `commit_hash` follow a chain; `lifecycle` and `lifecycle_state` keep definitions, and `collections` what they say of
private data; `private_data`, `private_exchange` and `purge_statements` are what peers tell each other about it; `audit`
checks a whole chain again, `describe` shows a block. Only `codec` sees generated protobuf code.
"""
