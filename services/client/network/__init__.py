"""A generated network as processes of this machine.

Purpose: start every node of a network, wait until each serves, define its contracts by real transactions, watch, stop.
Data in: a folder that `deploy.generate` has written. Data out: running processes, each with a log in its node's folder.
Does not: know what a node does, or restart one that ended: it says so, and why.
Failure: `NodeEnded` and `NodeNotReady` carry the last lines of the node's log. Processes are recorded with their start
time, so that only what was started here is ever stopped.
"""
