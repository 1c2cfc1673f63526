"""The ledger's judge: decides by itself what every block of a channel means, and says where a peer disagrees.

Purpose: a second, independent opinion, serial, slow and obvious, to be checked against Fabric's rules by eye. It shares
no code with peers, orderers or `privysharing.protocol`: only the published message definitions (hyperledger-fabric-
protos), `cryptography` and hashlib. Each rule names the Fabric function that it restates.
Reading order: `model` feeds blocks through the others; `chain` (is it the next block, signed?), `transactions` (form),
`endorsement` (policies), `reads` (conflicts), `state` (what writes do, commit hash); below them `channel` (the
configuration in force and how it changes), `policies`, `members` (who signed), `signatures`. `comparison` holds what a
peer says against the model; `observing` asks our peers, and alone knows their types.
Data in: a genesis block, then marshalled blocks, as ordered or as stored; what a peer wrote into them is not looked at.
Data out: verdicts, commit hashes, state, history and index as of any height, and the valid `Invocation`s.
Failure: a block that no honest ordering service makes raises `BadBlock`; where a peer differs is a list of
`LedgerFault`s.

Not modelled: BFT block signatures, Idemix and Ed25519, the legacy lifecycle (lscc), validation plugins other than
vscc, CouchDB's INVALID_WRITESET, expiry and purging of private data, plain private values, revoked or constrained CA
certificates (name constraints, extended key usage), and what a new configuration may not say (its Bundle's checks).
"""
