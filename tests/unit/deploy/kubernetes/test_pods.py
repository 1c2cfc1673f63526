"""Pods: what they may do, what they find, how they are called, watched and stopped."""

from importlib.metadata import version
from typing import Any

import pytest
import yaml
from cryptography import x509

from deploy import layout
from deploy.kubernetes.parts import NETWORK
from deploy.manifest import NodeEntry
from services.orderer import config as orderer_config
from services.peer import config as peer_config
from services.runtime.process import DRAIN_SECONDS_MAX
from tests.support.cluster import K8S, Document, Rendered, contents, pod_of

# Kubernetes' own standard `restricted` (Pod Security Standards), and what we ask beyond it.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
NAME = "app.kubernetes.io/name"


def containers(workload: Document) -> list[Document]:
    pod = pod_of(workload)
    return [*pod["containers"], *pod.get("initContainers", [])]


def lacks(workload: Document) -> list[str]:
    """What keeps a workload's pods from the standard `restricted`, and from ours."""
    pod = pod_of(workload)
    context = pod.get("securityContext", {})
    wrong = [key for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace") if pod.get(key)]
    wrong += [f"volume {set(each)}" for each in pod.get("volumes", []) if not set(each) - {"name"} <= VOLUMES]
    if not context.get("runAsNonRoot") or not context.get("runAsUser"):
        wrong.append("runAsNonRoot")
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        wrong.append("seccompProfile")
    if pod.get("automountServiceAccountToken") is not False:
        wrong.append("automountServiceAccountToken")
    for container in containers(workload):
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            wrong.append("allowPrivilegeEscalation")
        if own.get("capabilities") != {"drop": ["ALL"]}:
            wrong.append("capabilities")
        if own.get("readOnlyRootFilesystem") is not True:
            wrong.append("readOnlyRootFilesystem")
        if own.get("privileged") or "runAsUser" in own or "runAsNonRoot" in own or "seccompProfile" in own:
            wrong.append("a container of its own mind")
        if any("hostPort" in port for port in container.get("ports", [])):
            wrong.append("hostPort")
        for kind in ("requests", "limits"):
            if set(container.get("resources", {}).get(kind, {})) != {"cpu", "memory"}:
                wrong.append(kind)
    return wrong


def test_every_pod_may_do_as_little_as_can_be(rendered: Rendered) -> None:
    assert {each["metadata"]["name"]: wrong for each in rendered.workloads if (wrong := lacks(each))} == {}
    for namespace in rendered.of_kind("Namespace"):
        labels = namespace["metadata"]["labels"]
        assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}


@pytest.mark.parametrize("key", ["allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem"])
def test_a_pod_that_may_do_more_is_noticed(demo: Rendered, key: str) -> None:
    workload = demo.workloads[0]
    container = containers(workload)[0]
    loose = {**container, "securityContext": {k: v for k, v in container["securityContext"].items() if k != key}}
    pod = {**pod_of(workload), "containers": [loose]}
    assert lacks({**workload, "spec": {"template": {"spec": pod}}}) == [key]


def test_every_workload_is_in_a_namespace_that_is_there(rendered: Rendered) -> None:
    namespaces = {each["metadata"]["name"] for each in rendered.of_kind("Namespace")}
    assert {each["metadata"]["namespace"] for each in rendered.documents if each["kind"] != "Namespace"} == namespaces


def test_the_job_that_checks_a_stopped_peer_may_do_as_little_and_is_of_this_release(demo: Rendered) -> None:
    job = yaml.safe_load((K8S / "verify.yaml").read_text())
    assert lacks(job) == []
    (container,) = containers(job)
    assert container["image"] == f"privysharing/client:{version('privysharing')}"
    claim = pod_of(job)["volumes"][0]["persistentVolumeClaim"]["claimName"]
    peer = demo.one("StatefulSet", "demo-medical", "peer0")
    assert claim == f"{peer['spec']['volumeClaimTemplates'][0]['metadata']['name']}-{peer['metadata']['name']}-0"


def node_set(rendered: Rendered, node: NodeEntry) -> Document:
    return rendered.one("StatefulSet", f"{rendered.topology.name}-{node.org}", node.name.partition(".")[0])


def test_a_node_finds_its_own_folder_and_nothing_else(rendered: Rendered) -> None:
    for node in rendered.topology.nodes:
        folder = rendered.folder / NETWORK / layout.own_folder(node)
        there = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        found = rendered.files(node_set(rendered, rendered.network.node(node.full_name)))
        assert found == there
        (mount,) = (
            each
            for each in containers(node_set(rendered, rendered.network.node(node.full_name)))[0]["volumeMounts"]
            if each["name"] == "configuration"
        )
        assert (mount["mountPath"], mount["readOnly"]) == ("/etc/privysharing", True)


def test_a_node_is_called_as_its_service_is_and_its_certificate_says_so(rendered: Rendered) -> None:
    for node in rendered.network.nodes:
        host, port = node.address.split(":")
        name, namespace, last = host.split(".")
        service = rendered.one("Service", namespace, name)
        assert (last, [each["port"] for each in service["spec"]["ports"]]) == ("svc", [int(port)])
        labels = node_set(rendered, node)["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        served = rendered.files(node_set(rendered, node))["tls/server.crt"]
        names = x509.load_pem_x509_certificate(served).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert {host, f"{name}.{namespace}", node.name} <= set(names.value.get_values_for_type(x509.DNSName))


def test_services_of_one_node_find_its_pods_alone(rendered: Rendered) -> None:
    for service in rendered.of_kind("Service"):
        chosen = [
            each
            for each in rendered.workloads
            if each["metadata"]["namespace"] == service["metadata"]["namespace"]
            and service["spec"]["selector"].items() <= each["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert len(chosen) == 1, service["metadata"]
        ports = {port["name"] for port in containers(chosen[0])[0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_a_set_has_a_headless_service_a_volume_and_probes_and_time_to_drain(rendered: Rendered) -> None:
    sets = rendered.of_kind("StatefulSet")
    assert len(sets) == len(rendered.topology.nodes) + (2 if rendered.topology.ordering else 0)
    for each in sets:
        governing = rendered.one("Service", each["metadata"]["namespace"], each["spec"]["serviceName"])
        assert governing["spec"]["clusterIP"] == "None"
        assert [claim["metadata"]["name"] for claim in each["spec"]["volumeClaimTemplates"]] == ["data"]
        assert each["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
        pod, (container,) = pod_of(each), containers(each)
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
        assert pod["terminationGracePeriodSeconds"] > DRAIN_SECONDS_MAX
        assert pod["enableServiceLinks"] is False, "variables of services would be taken for settings"


def test_a_node_is_ready_when_it_says_so_and_is_not_restarted_because_others_are_away(rendered: Rendered) -> None:
    for node in rendered.network.nodes:
        (container,) = containers(node_set(rendered, node))
        (operations,) = (port["containerPort"] for port in container["ports"] if port["name"] == "operations")
        assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "operations"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/version", "port": "operations"}
        assert node.operations_address.endswith(f":{operations}")


def test_nodes_spread_over_machines_whosever_they_are(rendered: Rendered) -> None:
    for node in rendered.network.nodes:
        each = node_set(rendered, node)
        (term,) = pod_of(each)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        others: Any = term["podAffinityTerm"]
        assert others["labelSelector"] == {"matchLabels": {NAME: node.role}}
        assert others["namespaceSelector"] == {"matchLabels": {"app.kubernetes.io/part-of": "privysharing"}}
        assert pod_of(each)["topologySpreadConstraints"][0]["labelSelector"] == {"matchLabels": {NAME: node.role}}


def test_one_pod_of_a_kind_is_taken_at_a_time(rendered: Rendered) -> None:
    budgets = rendered.of_kind("PodDisruptionBudget")
    for each in rendered.of_kind("StatefulSet"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        (budget,) = (
            budget
            for budget in budgets
            if budget["metadata"]["namespace"] == each["metadata"]["namespace"]
            and budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
        )
        assert budget["spec"]["maxUnavailable"] == 1


def test_brokers_are_called_as_their_pods_are_and_each_has_its_own_settings(on_kafka: Rendered) -> None:
    namespace = "ordering4-kafka"
    ordering = on_kafka.network.ordering
    for name, addresses in (("kafka", ordering.brokers), ("zookeeper", ordering.zookeepers)):
        members = on_kafka.one("StatefulSet", namespace, name)
        count = members["spec"]["replicas"]
        hosts = [f"{name}-{n}.{name}.{namespace}.svc.cluster.local" for n in range(count)]
        assert [address.partition(":")[0] for address in addresses] == hosts
        settings = contents(on_kafka.one("ConfigMap", namespace, pod_of(members)["volumes"][0]["configMap"]["name"]))
        for n, host in enumerate(hosts):
            if name == "kafka":
                assert f"broker.id={n}\nzookeeper.connect=" in settings[f"kafka-{n}.properties"].decode()
                assert f"listeners=PLAINTEXT://{host}:9092" in settings[f"kafka-{n}.properties"].decode()
            else:
                assert f"clientPortAddress={host}" in settings[f"zookeeper-{n}.cfg"].decode()
                assert settings[f"zookeeper-{n}.myid"] == f"{n + 1}\n".encode()


def test_people_have_their_own_keys_at_hand_and_not_the_administrators(demo: Rendered) -> None:
    for org in demo.network.organisations:
        client = demo.one("Deployment", f"demo-{org.name}", "client")
        found = demo.files(client)
        users = [user.name for user in org.users if user.role == "client"]
        assert {path for path in found if path.startswith("wallet/")} == {f"wallet/{user}.id" for user in users}
        assert {"network.json", org.profile} <= set(found)
        assert not [path for path in found if "Admin" in path]


def test_each_member_says_for_itself_which_contracts_count(rendered: Rendered) -> None:
    members = {org.name for channel in rendered.topology.channels for org in channel.members}
    jobs = rendered.of_kind("Job")
    assert {job["metadata"]["namespace"].partition("-")[2] for job in jobs} == members
    for job in jobs:
        organisation = job["metadata"]["namespace"].partition("-")[2]
        assert containers(job)[0]["args"] == ["network", "define", "--organisation", organisation]
        admin = next(user for user in rendered.network.organisation(organisation).users if user.role == "admin")
        assert f"{admin.msp}/keystore/priv_sk" in rendered.files(job)


def test_nodes_read_their_configuration_as_meant_where_a_pod_has_it(demo: Rendered, tmp_path: Any) -> None:
    for node in demo.network.nodes:
        etc = tmp_path / node.name
        for path, content in demo.files(node_set(demo, node)).items():
            (etc / path).parent.mkdir(parents=True, exist_ok=True)
            (etc / path).write_bytes(content)
        file = etc / ("core.yaml" if node.role == "peer" else "orderer.yaml")
        file.write_text(file.read_text().replace("/etc/privysharing", str(etc)))
        load = peer_config.load if node.role == "peer" else orderer_config.load
        config = load(file, environment={})
        assert config.reporting.unused_keys == ()
        assert str(config.listen) == f"0.0.0.0:{node.address.rpartition(':')[2]}"
        assert str(config.location) == "/var/lib/privysharing"
