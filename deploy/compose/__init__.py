"""A generated network as containers of a Docker engine, one for each node.

Purpose: write a compose file for a network of `network.yaml`, start and stop it: the same nodes as on a laptop or in
Kubernetes, from the images that `make images` builds.
Data in: a topology. Data out: a folder with the network's files and `compose.yaml`; each container sees of it what is
its own, read-only, and the folder of its data. Networks of containers follow the architecture: one for each
organisation, where its nodes answer their operator, one for each channel, and one for the ordering log.
Does not: secure the host. Whoever reaches the Docker engine is root, and the folder holds everybody's keys.
Failure: `Missing` names what to install; `DockerFault` has what the engine, or a container, said last.

Read in this order: `document` (what runs how), `project` (starting and stopping it). `make compose-up` is the way in
from a shell.
"""
