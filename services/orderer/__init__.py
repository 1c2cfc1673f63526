"""The ordering service: envelopes in, one chain of signed blocks per channel out.

Purpose: `admission` (may this envelope be ordered?) -> `log` (its place, durably) -> `sequencer` and `cutter` (which
envelopes make which block: a pure function of the log) -> `sealing` (hash, number, signature) -> `store` -> `delivery`.
`chain` is the shell that moves values along this line for one channel, `channels` knows all chains, `intake` takes an
envelope in, for `broadcast`, which answers clients in order, and `batches`, which answers each envelope by itself;
`rpc` speaks gRPC, `node` puts everything together, `main` runs it as a process. Read them in this order. `pace` says
when to cut. `kafka` has the log that several orderers share; `neighbours` says which others there are, and `fellows`
and `catching_up` take from them the blocks whose records the log has dropped.
Does not: look inside transactions, execute, or validate; a replayed or conflicting transaction is ordered like any
other, and flagged by the peers.
Data in: envelopes, genesis blocks. Data out: blocks.
Failure and recovery: whatever was acknowledged is in the log, durably. Blocks can be derived from the log again, so the
block store may lose its tail in a power cut: a restart resumes behind the last stored block and makes the same blocks.
A disk that fails stops the process. A record that makes no sense is skipped and counted; it never stops a channel.
"""
