"""Load on real processes, measured.

Purpose: say how fast a network is, on which workload, with which failures, and how near to what cryptography allows.
Data in: a topology, a workload, how much load. Data out: progress for people, one JSON object on the last line.
Does not: judge. A benchmark reports; no test depends on its figures.
"""
