"""Runs chaincode for an endorser, and turns what it reads and writes into a read/write set.

Purpose: `host.ChaincodeHost` finds out which chaincode a proposal means and whether this peer runs it, runs it on a
`simulator.TxSimulator`, and bounds what it may take. Contracts run in this process, found by entry point; the peer's
own chaincodes are in `system_chaincodes`.
Data in: a `transaction.Transaction` with a simulation of one snapshot. Data out: the chaincode's response and event;
the simulation holds the rest, byte for byte as a Fabric peer would have recorded it.
Does not: decide whether a proposal may come in, sign anything (both `endorsement`), or change a ledger.
Failure: `errors.ChaincodeError` is the caller's answer. A contract that loops, hoards, recurses or crashes costs its
caller an error, and nobody else anything: `guard` ends it, `simulator` counts, and what it raised is not told. Only a
call into C that never returns cannot be ended; `endorsement.workers` then goes on without that thread.

Read in this order: `ports`, `transaction`, `rwset`, `ranges`, `simulator`, `definitions`, `permissions`, `stub`,
`host`, then `contracts`, `guard`, `watchdog`.
"""
