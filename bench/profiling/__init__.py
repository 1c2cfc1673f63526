"""Where each process spends its time under a load.

Purpose: from samples of stacks (py-spy) and the processor time of every thread to tables: by room, by function, and by
step of one transaction; and a flame graph for each process.
Data in: process ids and seconds. Data out: microseconds per transaction, as text and SVG.
Does not: slow a process down by much, or see into native code: what C spends counts for the Python function that called
it, and threads that no Python runs on (gRPC's own) are told by their names only.
Failure: `CannotSample` says what is missing, usually the right to look into another process.
"""
