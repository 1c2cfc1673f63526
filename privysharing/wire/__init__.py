"""Generated protobuf and gRPC code: Fabric's messages under Fabric's paths, ours under `privysharing.v1`.

Everything below this package except `pool` is written by `proto/generate.py` from `proto/` and
committed; `python proto/generate.py --check` fails when the two disagree. Do not edit it by hand.

The messages live in a descriptor pool of their own (`pool.POOL`), so that a program may import them
beside other builds of Fabric's protos, which claim the same file names in the default pool. Hence
messages of the two pools do not mix, well-known types included: a `Timestamp` field here takes
`privysharing.wire.google.protobuf.timestamp_pb2.Timestamp`. Bytes are the same either way.

Only codecs and RPC shells import this package; everyone else sees domain types.
"""
