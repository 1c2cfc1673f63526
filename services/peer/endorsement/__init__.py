"""Endorses proposals: checks who asks for what, has it simulated, and signs what it came to.

Purpose: `endorser.Endorser` answers a signed proposal as a Fabric peer does, check for check and text for text;
`workers.EndorsementWorkers` does so on threads, for callers that must not wait; `hosting` is what these run on.
Data in: bytes of a protos.SignedProposal. Data out: a protos.ProposalResponse, or a `ProposalRefused`, which is a gRPC
error to whoever called.
Does not: order, validate or commit, or remember a proposal; of what it signed it remembers the newest (`issued`).
Failure: what is wrong with a proposal is a refusal; what is wrong afterwards is a response of status 500. Either way
nothing changed.

Read in this order: `checks`, `stages`, `endorser`, `results`, `interest`, `issued`, `line`, `workers`, `hosting`.
"""
