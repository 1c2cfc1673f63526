"""The `privy` command line: one sub-command per noun.

Purpose: let people and scripts use and operate a network. Every command teaches by `--help`; `--json` is for machines.
Data in: a network's folder (connection profiles, wallet), or files. Data out: text for people, JSON for machines.
Does not: decide anything; the SDK calls, the contract rules, the nodes refuse.
Failure: says what was needed, what was found and what to do; exit code 1 for a refusal or fault, 2 for wrong usage.
"""
