"""What `kubectl apply -k` would apply, as kubectl itself makes it, and the network that it was made for."""

import base64
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.kubernetes.__main__ import draw, files_of, write
from deploy.kubernetes.overlay import overlay
from deploy.kubernetes.parts import NETWORK
from deploy.manifest import Network
from deploy.topology import Topology, load_topology

K8S = Path(__file__).parents[2] / "k8s"
TOPOLOGIES = ("demo", "ordering4")
VERSION = "0.1.0"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """An overlay, and what it says in the end."""

    topology: Topology
    folder: Path
    texts: dict[str, str]
    documents: list[Document]

    @classmethod
    def make(cls, name: str, folder: Path) -> "Rendered":
        """Generate a network's overlay and keys beside a copy of the base, and have kubectl put it together."""
        shutil.copytree(K8S / "base", folder / "base")
        topology, place = load_topology(name), folder / "overlays" / name
        texts = overlay(topology, draw(topology, place / NETWORK), VERSION)
        write(place, texts)
        return cls(topology, place, texts, render(place))

    @property
    def network(self) -> Network:
        return Network.load(self.folder / NETWORK)

    @property
    def network_files(self) -> list[str]:
        return files_of(self.folder / NETWORK)

    def of_kind(self, *kinds: str) -> list[Document]:
        return [document for document in self.documents if document["kind"] in kinds]

    def one(self, kind: str, namespace: str, name: str) -> Document:
        (found,) = (
            each
            for each in self.of_kind(kind)
            if (each["metadata"]["namespace"], each["metadata"]["name"]) == (namespace, name)
        )
        return found

    @property
    def workloads(self) -> list[Document]:
        return self.of_kind("StatefulSet", "Deployment", "Job")

    def files(self, workload: Document, volume: int = 0) -> dict[str, bytes]:
        """What a pod finds in a projected volume, by path."""
        namespace = workload["metadata"]["namespace"]
        found: dict[str, bytes] = {}
        for source in pod_of(workload)["volumes"][volume]["projected"]["sources"]:
            ((kind, chosen),) = source.items()
            held = contents(self.one({"configMap": "ConfigMap", "secret": "Secret"}[kind], namespace, chosen["name"]))
            found |= {item["path"]: held[item["key"]] for item in chosen["items"]}
        return found


def render(folder: Path) -> list[Document]:
    """`kubectl kustomize`."""
    if shutil.which("kubectl") is None:
        raise FileNotFoundError(
            "needed: kubectl 1.28 or newer, for k8s/; install it with: curl -Lo /usr/local/bin/kubectl "
            "https://dl.k8s.io/release/v1.32.4/bin/linux/amd64/kubectl && chmod +x /usr/local/bin/kubectl"
        )
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def pod_of(workload: Document) -> Document:
    """The specification of its pods."""
    specification: Document = workload["spec"]["template"]["spec"]
    return specification


def contents(document: Document) -> dict[str, bytes]:
    """What a ConfigMap or a Secret holds."""
    texts, encoded = document.get("data", {}), document.get("binaryData", {})
    if document["kind"] == "Secret":
        texts, encoded = {}, texts
    return {key: text.encode() for key, text in texts.items()} | {
        key: base64.b64decode(text) for key, text in encoded.items()
    }
