"""What a contract is written against.

Purpose: everything that a contract needs and nothing that a peer needs: its caller, its arguments, keys, time, state,
secrets, events, refusals. Familiar to whoever wrote a Fabric contract.
Data in: a `stub.Stub`, the port that a chaincode host implements. Data out: a protocol `Response`, and the reads,
writes and event that the stub recorded.
Does not: decide who may do what (that is the contract), talk to a peer or network, read a clock, draw randomness.
Failure: a contract says no with `errors.ContractError`, which becomes a response of status 400 or more, so the peer
does not endorse. Anything else that a contract raises is a fault: the caller learns that there was one, no more.

Read in this order: `stub` (the port), `context` (what a function gets), `contract` (how functions are declared and
called), then `errors`, `secret`, `private`, `endorsers`, `keys`, `canonical`, and `memory` (the reference ledger that
ships for tests).
"""
