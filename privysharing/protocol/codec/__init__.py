"""Bytes to domain values and back: the only place of the protocol that sees generated code.

Purpose: one module per message family, named after the domain module whose values it reads and writes.
Data in: bytes as received. Data out: frozen values of `privysharing.protocol`, holding the bytes that hashes and
signatures cover. `parse_x` reads and raises `MalformedMessage`; `encode_x` writes as Fabric's marshaller does
(ascending field numbers, defaults left out), deterministically also where a message holds a map.
Does not: judge. A parsed value has the right shape; whether it is allowed is for others to say.
"""
