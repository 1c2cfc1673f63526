"""A network in a real cluster: nobody reaches more than the architecture says, and every pod may go at any time.

`python -m tests.cluster --topology demo`, once `kubectl apply -k k8s/overlays/demo` is through, with the `kubectl` of
that cluster. `reach` tries every port of every pod from every pod that has Python; `load` runs in a client's pod while
`__main__` deletes one pod after the other and waits until it is back. In the end every endorsing peer is asked for
every reading, plain and private: all that were acknowledged are to be there, once each, and none that was not; and all
peers are to end with the same commit hash. A NetworkPolicy counts only where the cluster's network enforces it: `reach`
tells.
"""
