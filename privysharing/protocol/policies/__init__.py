"""Policies: which signatures together are enough (Fabric's common/policies, cauthdsl and policydsl).

Purpose: hold a policy as a value, read one that an operator wrote, and decide whether a set of identities meets it.
Data in: identities whose signatures somebody has verified already. Data out: yes or no.
Does not: verify signatures, look identities up, or know where in a channel's configuration a policy stands.
Failure: `MalformedPolicy` for a policy that cannot be evaluated, `PolicySyntaxError` for text that is none.

Read in this order: `policy`, `signature`, `implicit_meta`, `dsl`.
"""
