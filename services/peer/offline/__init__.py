"""What can be done with a peer's data while the peer is stopped: look into it, check it, make its state anew.

Purpose: `dump` prints the state, `verify` checks everything and changes nothing, `rebuild` makes state, history and
indexes from the blocks. Each is a program that takes the folders it works on; `privy peer` calls them.
Does not: start or stop a peer, talk to anybody, or mend a block: blocks come from other peers, or from orderers.
Data in: a peer's data folder (its `fileSystemPath`). Data out: lines and documents on standard output.
Failure and recovery: a ledger is locked while it is worked on, so a running peer is refused, and refuses to start. A
check changes nothing, so it can be broken off. A rebuild that is broken off leaves a state that stands at some block,
from which the next start of the peer, or the next rebuild, goes on.

Read in this order: `folders`, `verification` (what is checked), `comparison`, then the programs.
"""
