"""Membership: which certificates speak for which organisation, and in which roles (Fabric's msp package, X.509 only).

Purpose: from an organisation's configuration (`config.MspConfig`) and the bytes of a creator or endorser, decide who
that is, whether the organisation vouches for it, and whether it satisfies a principal of a policy.
Data in: domain configurations, serialized identities. Data out: `identity.Identity`, which verifies signatures.
Does not: know what a policy wants (`policies` does), read a clock (whether a certificate has expired is asked at
the doors, never here: otherwise peers would judge one block differently at different times), or do I/O.
Failure: `InvalidMsp` for a configuration that means nothing safe, `InvalidIdentity` for bytes nobody vouches for.

Read in this order: `config`, `principals`, `identity`, `certificates`, `chains`, `revocation`,
`authorities`, `units`, `provider`, `manager`, `signing`.
"""
