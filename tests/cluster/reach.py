"""Who reaches whom, tried from inside every pod that has Python: nodes of the ledger and clients."""

import json
from collections.abc import Iterator

from deploy.kubernetes.arrows import Arrow, Pods, Role, arrows
from deploy.topology import Topology
from tests.cluster.kubectl import Kubectl, Pod

PORTS = (2181, 2888, 3888, 7050, 7051, 8443, 9092, 9443)
TRYING = (Role.CLIENT, Role.ORDERER, Role.PEER)
_TRY = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reached(target):
    try:
        socket.create_connection(target, 2).close()
    except OSError:
        return False
    return True
targets = [tuple(each) for each in json.loads(sys.argv[1])]
with ThreadPoolExecutor(64) as pool:
    print(json.dumps([target for target, open in zip(targets, pool.map(reached, targets)) if open]))
"""


def misreached(kubectl: Kubectl, topology: Topology) -> Iterator[str]:
    """Every connection that is possible and should not be, or should be and is not."""
    allowed = arrows(topology)
    pods = kubectl.pods()
    for source in (pod for pod in pods if pod.role in TRYING):
        targets = [(pod, port) for pod in pods if pod != source for port in PORTS]
        tried = json.dumps([(pod.address, port) for pod, port in targets])
        open_now = {tuple(each) for each in json.loads(kubectl.run_in(source, ["python3", "-c", _TRY, tried]))}
        for pod, port in targets:
            reached, meant = (pod.address, port) in open_now, Arrow(_group(source), _group(pod), port) in allowed
            if reached != meant:
                verb = "reaches" if reached else "does not reach"
                yield f"{source.namespace}/{source.name} {verb} {pod.namespace}/{pod.name}, port {port}"


def _group(pod: Pod) -> Pods:
    return Pods(pod.namespace, Role(pod.role))
