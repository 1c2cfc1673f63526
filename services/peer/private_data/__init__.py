"""Values that only some organisations may hold.

Purpose, so far: keep the plain values that this peer endorsed into its own organisation's implicit collections, which
is where `_lifecycle` puts approvals.
Data in: values, before the endorsement that carries their hashes leaves. Data out: a value by its hash.
Does not (yet): explicit collections, exchange with other peers, expiry, purge.
Failure: a value that was not kept is an endorsement that did not leave. What is stored and damaged is named,
and stays. A value whose transaction never commits stays here unused: only the organisation's own admins can cause that.

A private value is looked up by the hash that the ledger committed. So no step is needed when a block commits, and a
value that does not match what the channel agreed on cannot be returned.
"""

from services.peer.private_data.values import MemoryPrivateValues, PrivateValues, StoredPrivateValues

__all__ = ["MemoryPrivateValues", "PrivateValues", "StoredPrivateValues"]
