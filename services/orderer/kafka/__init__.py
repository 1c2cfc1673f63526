"""The ordered log on Kafka: one topic a channel, partition 0, shared by all orderers of the channel.

Purpose: `kafkalog` is an `OrderedLog` over `producing` and `reading`, each a blocking client of kafka-python on a
thread of its own that hands over many records at a time; `topics` makes a channel's topic and says when it is not the
one that a chain was made from; `connecting` turns `config` into what the clients are told, `records` reads what the
library would not, and `lastwords` lets it hear why a broker hangs up; `ordering` gives a process its logs. `ensemble`
is what ZooKeeper says, where there is one; `migrate` and `migrating` copy an embedded log to a topic; `gauges` shows
what the clients measure.
Does not: decide anything about blocks. The order of records is the topic's alone. A record whose acknowledgement was
lost may be in the topic all the same, and one that the client sent again may be there twice: the peers take a
transaction once.
Data in and out: records, with the topic's own offsets.
Failure and recovery: while no broker answers, records are refused after DeliveryTimeout, at once from then on, and the
process says so on /healthz; it tries again for ever, at intervals with jitter. A topic that is gone, was made anew, or
ends before what it gave already is `LostRecords`: the channel stops, since going on would fork it.
acks=all means replicated, not flushed: with a single broker, a power cut there may cost acknowledged records, unless
the topic has flush.messages=1.
"""
