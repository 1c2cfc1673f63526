"""Whether what only some may know stays with them: values are planted in everything private, and looked for everywhere.

A network of real processes, whose connections all go through proxies that hold the nodes' keys (`proxies`). Canaries
(`canaries`) are written, read, and purged in every private way there is (`story`). Then every place is searched
(`places`): files with LevelDB's tables unpacked (`leveldb`), captured connections put together call by call (`http2`),
metrics, logs, and the memory of each process (`memory`); for every encoding that bytes could have been given
(`encodings`, `search`). Outside the collection's members nothing may be found, on them everything; and nothing at all
once it is purged. `python -m tests.canary`, or `make canary`.
"""
