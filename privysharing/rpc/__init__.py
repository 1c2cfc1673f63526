"""How to call a node: channels with TLS, and Fabric's calls as coroutines over domain values.

Purpose: one small client per gRPC service, for whoever calls: SDK, gateway, a peer that follows an orderer.
Does not: choose nodes, retry, or know what an answer means for its caller.
Data in: domain values and signed bytes. Data out: domain values; block and proposal bytes untouched.
Failure: `errors.NodeError` and its kinds say which node, why, and whether another node may do better.
"""
