"""Arrows as NetworkPolicies: one for each kind of pod, with everything that it may receive and send."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from deploy.kubernetes.arrows import Arrow, Pods

ROLE = "app.kubernetes.io/name"
NAMESPACE = "kubernetes.io/metadata.name"  # every namespace has it, by Kubernetes' own hand


def network_policies(namespace: str, arrows: Collection[Arrow]) -> list[dict[str, Any]]:
    """The policies of a namespace; what is in none of them, its default denies."""
    ends = {pods for arrow in arrows for pods in (arrow.source, arrow.target)}
    return [_policy(pods, arrows) for pods in sorted(ends) if pods.namespace == namespace]


def _policy(pods: Pods, arrows: Collection[Arrow]) -> dict[str, Any]:
    received = [arrow for arrow in arrows if arrow.target == pods]
    sent = [arrow for arrow in arrows if arrow.source == pods]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": pods.role.value},
        "spec": {
            "podSelector": {"matchLabels": {ROLE: pods.role.value}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": _rules("from", received, lambda arrow: arrow.source),
            "egress": _rules("to", sent, lambda arrow: arrow.target),
        },
    }


def _rules(direction: str, arrows: Collection[Arrow], far_end: Callable[[Arrow], Pods]) -> list[dict[str, Any]]:
    """A rule for each port."""
    return [
        {
            direction: [_selector(pods) for pods in sorted(far_end(arrow) for arrow in arrows if arrow.port == port)],
            "ports": [{"port": port, "protocol": "TCP"}],
        }
        for port in sorted({arrow.port for arrow in arrows})
    ]


def _selector(pods: Pods) -> Mapping[str, Any]:
    return {
        "namespaceSelector": {"matchLabels": {NAMESPACE: pods.namespace}},
        "podSelector": {"matchLabels": {ROLE: pods.role.value}},
    }
