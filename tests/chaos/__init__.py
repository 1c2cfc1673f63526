"""Real processes under load, killed, stopped and starved of space at random moments; then every promise is checked.

`python -m tests.chaos --kills N --seed S`. The seed decides who is struck when and how (`schedule`, pure); what the
machine makes of it differs from run to run. `strikes` carries it out, `load` talks to the network all the while and
enters what it was told in `records`; `judging` (pure) compares that with the chains that the nodes hold at the end.
Acknowledged means that Broadcast answered SUCCESS; kept, that the envelope is in a block of every peer.
Needed for full disks: a file system that can be filled (`smalldisk` says which will do); without one they are left out,
and the result says so. Failure: the network's folder stays, with logs, blocks and findings, and is named.
"""
