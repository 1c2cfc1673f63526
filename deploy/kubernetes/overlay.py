"""An overlay of `k8s/base` for one network: which pods there are, what each finds in its folder, who may call whom."""

from collections.abc import Collection, Mapping
from typing import Any, Final

import yaml

from deploy import layout
from deploy.kafka.settings import BROKER
from deploy.kafka.settings import ZOOKEEPER as ENSEMBLE
from deploy.kubernetes.arrows import arrows
from deploy.kubernetes.names import KAFKA, ZOOKEEPER, kafka_namespace, namespace_of
from deploy.kubernetes.parts import NETWORK, Part, parts_of
from deploy.kubernetes.policies import network_policies
from deploy.ordering import OwnKafka
from deploy.topology import Topology, TopologyError

KUSTOMIZATION: Final = "kustomization.yaml"
POLICIES: Final = "networkpolicies.yaml"
IMAGES: Final = ("client", "kafka", "orderer", "peer", "zookeeper")
_INSTANCE: Final = "app.kubernetes.io~1instance"  # as a JSON pointer has it
_SAYS: Final = "# Generated from deploy/network.yaml by `make k8s`: change it there.\n"

Document = dict[str, Any]


def overlay(topology: Topology, files: Collection[str], version: str) -> dict[str, str]:
    """The text of every file; `files` are those generated for the network, and `version` the images' tag."""
    kafka = _kafka_of(topology)
    parts = {org.name: parts_of(topology, org, files) for org in topology.organisations}
    everything = [part for each in parts.values() for part in each]
    written: dict[str, list[Document]] = {
        KUSTOMIZATION: [
            _kustomization(
                resources=[*parts, *([KAFKA] if kafka else [])],
                images=[{"name": f"privysharing/{image}", "newTag": version} for image in IMAGES],
                configMapGenerator=[part.folder.config_map for part in everything]
                + (_kafka_files(topology, kafka) if kafka else []),
                secretGenerator=[part.folder.secret for part in everything],
            )
        ]
    }
    for org in topology.organisations:
        namespace = namespace_of(topology, org)
        written |= _namespace(topology, org.name, namespace, ["organisation"], [part.name for part in parts[org.name]])
        for part in parts[org.name]:
            written[f"{org.name}/{part.name}/{KUSTOMIZATION}"] = [_instance(part)]
    if kafka:
        written |= _namespace(topology, KAFKA, kafka_namespace(topology), ["namespace", KAFKA, ZOOKEEPER], [])
        written[f"{KAFKA}/{KUSTOMIZATION}"][0]["replicas"] = [
            {"name": KAFKA, "count": kafka.brokers},
            {"name": ZOOKEEPER, "count": kafka.zookeepers},
        ]
    return {path: _SAYS + _text(documents) for path, documents in written.items()}


def _kafka_of(topology: Topology) -> OwnKafka | None:
    ordering = topology.ordering
    if ordering is None or (isinstance(ordering, OwnKafka) and ordering.zookeepers):
        return ordering
    place = f"topologies.{topology.name}.ordering"
    raise TopologyError(
        f"{place} is {ordering!r}; needed in Kubernetes: embedded, or numbers of brokers and zookeepers"
    )


def _namespace(
    topology: Topology, name: str, namespace: str, bases: list[str], parts: list[str]
) -> dict[str, list[Document]]:
    resources = [*(f"../../../base/{base}" for base in bases), POLICIES, *parts]
    return {
        f"{name}/{KUSTOMIZATION}": [_kustomization(namespace=namespace, resources=resources)],
        f"{name}/{POLICIES}": network_policies(namespace, arrows(topology)),
    }


def _instance(part: Part) -> Document:
    """A base with a part's files; where an organisation may have several, under the part's own name."""
    base = part.base
    changes: Document = {"/spec/template/spec/volumes/0/projected/sources": part.folder.projected}
    if part.arguments:
        changes["/spec/template/spec/containers/0/args"] = [*part.arguments]
    if part.kind != "StatefulSet":
        return _kustomization(resources=[f"../../../../base/{base}"], patches=[_patch(part.kind, base, changes)])
    pods = f"{part.name}-pods"
    changes |= {
        "/metadata/name": part.name,
        "/spec/serviceName": pods,
        f"/spec/selector/matchLabels/{_INSTANCE}": part.name,
    }
    return _kustomization(
        resources=[f"../../../../base/{base}"],
        labels=[{"pairs": {"app.kubernetes.io/instance": part.name}, "includeTemplates": True}],
        patches=[
            _patch(part.kind, base, changes),
            _patch("Service", base, {"/metadata/name": part.name, f"/spec/selector/{_INSTANCE}": part.name}),
            _patch("Service", f"{base}-pods", {"/metadata/name": pods, f"/spec/selector/{_INSTANCE}": part.name}),
        ],
    )


def _kafka_files(topology: Topology, kafka: OwnKafka) -> list[Document]:
    """Each member's settings under its pod's name."""
    source, namespace = NETWORK / layout.KAFKA, kafka_namespace(topology)
    brokers = [f"{KAFKA}-{n}.properties={source}/{BROKER}{n}/server.properties" for n in range(kafka.brokers)]
    ensemble = [
        f"{ZOOKEEPER}-{n}.{kind}={source}/{ENSEMBLE}{n}/{file}"
        for n in range(kafka.zookeepers)
        for kind, file in (("cfg", "zoo.cfg"), ("myid", "data/myid"))
    ]
    return [
        {"name": KAFKA, "namespace": namespace, "files": brokers},
        {"name": ZOOKEEPER, "namespace": namespace, "files": ensemble},
    ]


def _patch(kind: str, name: str, changes: Mapping[str, Any]) -> Document:
    """Values to put where there is another, or none."""
    operations = [{"op": "add", "path": path, "value": value} for path, value in changes.items()]
    patch = {"target": {"kind": kind, "name": name}, "patch": _text([operations])}
    return {**patch, "options": {"allowNameChange": True}} if "/metadata/name" in changes else patch


def _kustomization(**fields: Any) -> Document:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **fields}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as people do."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _text(documents: list[Any]) -> str:
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=1000)
