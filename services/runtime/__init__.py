"""How a process lives: configuration, files, gRPC server, operations port, logs, metrics, start and stop.

Purpose: what every service needs and no service should write twice. Knows nothing of ledgers, channels or blocks.
Read in this order: `command` and `process` (start and stop), `config`, `logs`, `metrics`, `operations`, `reporting`
(the last three together), `machine` (what a node gets from outside), `grpcserver`, `watch` and `stalled` (what
surrounds each call), `rpc` (what servers say of themselves), `callers` and `shares` (who has how much of a limit),
`settings` (what all roles are told of these), `batching` and `handover` (many calls on a stream, answers of threads),
then `disk`, `recordlog` and `database` (what is durable, and what can be made again; both have twins in memory),
`journal` and `durable` (what can be neither lost nor made again, and can be forgotten for good), `formats`,
`diskspace` and `unchanged`.
Data in: a YAML file, the environment, signals. Data out: sockets, files, one line of log per event.
Failure: a bad setting is a `ConfigError` that names key, value and what is allowed; a failed write or sync is a
`DiskFault`, which is never retried: the process ends, and what it knows after a restart is what the disk holds.
"""
