"""Hostile input, in process: correctly signed messages, spoilt at every level of nesting, fed to the real code.

Purpose: show that whatever a stranger, a client, an endorser, an orderer or a file says, the code answers with a
refusal that it documents, in bounded time and memory, tells nothing that it should not, and changes nothing.
How: `messages` builds a message as an honest party does and shows each part, while it is being built, to a `hand`,
which spoils some; everything outside a spoilt part (ids, hashes, signatures) is then made to fit it, so that it reaches
the code behind the checks. `mutate` spoils bytes, `wire` knows protobuf's wire format and nothing of any message.
`targets` name what is fed, each with its oracle. `runner` bounds time and memory, and keeps what it finds.
Data in: a seed and a number; the same ones make the same inputs. Data out: inputs that broke a promise, as files.
Does not: speak to processes or over sockets, or prove anything beyond the inputs that were tried.

Read in this order: `wire`, `mutate`, `material`, `messages`, `oracle`, `runner`, then any module of `targets`.
"""
