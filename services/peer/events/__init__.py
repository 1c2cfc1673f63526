"""Tells whoever may know what has been committed: whole blocks, with private data or without, or their filtered form.

Purpose: the peer's Deliver service over bytes; `delivery.Deliveries` serves one stream, `filtered` shrinks blocks,
`private` says which private sets of a block its reader may see.
Does not: know gRPC (the `rpc` module does), or keep anything about a client once its stream ends.
Data in: signed seek envelopes, committed blocks. Data out: encoded protos.DeliverResponse.
Failure: a refusal is the status that ends the stream, and the reason goes to the log only. Whether a client may read
is asked again for each block: under every new configuration, and against the expiry of its certificate.
"""
