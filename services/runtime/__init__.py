"""How a process lives: configuration, files, gRPC server, operations port, logs, metrics, start and stop.

Purpose: what every service needs and no service should write twice. Knows nothing of ledgers, channels or blocks.
Read in this order: `command` and `process` (start and stop), `config`, `logs`, `metrics`, `operations`, `grpcserver`,
`reporting` (the last three together), `settings` (what all roles are told of these), `batching` and `handover` (many calls on a stream, answers of threads),
then `disk` and `recordlog` (how anything becomes durable).
Data in: a YAML file, the environment, signals. Data out: sockets, files, one line of log per event.
Failure: a bad setting is a `ConfigError` that names key, value and what is allowed; a failed write or sync is a
`DiskFault`, which is never retried: the process ends, and what it knows after a restart is what the disk holds.
"""
