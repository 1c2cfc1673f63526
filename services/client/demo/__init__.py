"""`privy demo`: the paper's Alice and one day of hers, on a network of real processes.

Purpose: show a newcomer in under a minute what the system does, with real heart recordings, and that it works here.
Data in: a heart recording (see `recordings`). Data out: a story on the terminal; the last line is `demo ok`.
Failure: whatever does not go as told stops the story, names the scene, says where the nodes' logs are
kept, and exits non-zero; no process is left behind.
"""
