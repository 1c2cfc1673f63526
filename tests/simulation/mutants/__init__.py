"""Tests of the simulation itself: our own code, broken on purpose, must not get through it.

A `Mutant` is a small edit of production source, applied to running functions in a process of its own, so that nothing
of it is ever on a disk. `catalogue` has them by room; `hunt` simulates seed after seed until the judges object.
`python -m tests.simulation.mutants` hunts them all and says how many seeds each took.
"""
