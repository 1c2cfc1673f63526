"""From a description of a network to everything that its nodes start with.

Purpose: read a topology of `network.yaml`, draw keys and certificates, and write MSP folders as cryptogen lays them
out, genesis blocks, one configuration per node, connection profiles, and `network.json`, which lists all of it.
Data in: `network.yaml`, a time, free ports. Data out: a folder that can be moved as a whole (paths in it are
relative), and the same facts as a `Network` value for whoever starts the nodes.
Does not: start processes, define contracts on channels (that takes transactions), or change a network that exists:
whose keys these are is settled once.
Failure: `TopologyError` for a description that makes no sense, `FolderNotEmpty` rather than writing over anything; what
was begun and not finished is removed.

Read in this order: `network.yaml`, `keys`, `collections`, `topology`, `layout`, `certificates`, `material`, `channels`,
`enough`, `ports`, `places` (where nodes run), `manifest`, `nodeconfig`, `profiles`, `own_files`, `generate`, `wallets`.
`python -m deploy.generate --help` is the way in from a shell. What runs and watches such networks has rooms of its own:
`kafka`, `images`, `compose`, `kubernetes`, `prometheus`, `grafana`; `running` and `packages` serve several of them.
"""
