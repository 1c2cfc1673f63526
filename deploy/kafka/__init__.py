"""Kafka and ZooKeeper on this machine: real brokers and real ensemble nodes, for networks that order through them.

Purpose: fetch Kafka 3.9 and ZooKeeper 3.8 from Maven Central as `pom.xml` pins them, write the nodes' configurations,
start, watch and stop them. One broker flushes what it acknowledges; three or more replicate it (two copies at least).
Data in: how many of each, a folder, `kraft` for Kafka without ZooKeeper. Data out: processes, each with its data and
log below that folder, and the addresses at which they serve.
Does not: know channels or topics (the orderers make their own), or secure anything: it listens on this machine only.
Failure: `Missing` names what to install; `MemberEnded` and `MemberNotReady` carry the last lines of a log. `kill -9` is
safe for every member at any moment.

Read in this order: `settings`, `programs`, `cluster`, `guard`. `make kafka-up` and `make kafka-down` are the way in
from a shell, `privy network up --ordering kafka` from a network.
"""
