"""A network in Kubernetes: an overlay of `k8s/base`, and the keys that go with it.

Purpose: say from the same description as everything else which pods a network has, what each finds in its folder, and
who may call whom. Each organisation has a namespace, each node a StatefulSet and a Service of its own, each arrow of
the architecture a rule; what is the same for all nodes of a kind is in `k8s/base`, written by hand.
Data in: a topology, and the files that `deploy.generate` has drawn for it. Data out: `k8s/overlays/TOPOLOGY`, of which
everything is committed but `network/`, where the keys are.
Does not: talk to a cluster; `kubectl apply -k` does.
Failure: `TopologyError` for what cannot be had in Kubernetes; keys that belong to another description are refused.

Read in this order: `names`, `arrows`, `policies`, `files`, `parts`, `overlay`. `make k8s` is the way in.
"""
