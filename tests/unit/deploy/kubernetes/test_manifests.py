"""Manifests: what Kubernetes itself accepts, what deploy/network.yaml says, and no key where others read."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from deploy.kubernetes import __main__ as program
from deploy.kubernetes.names import in_kubernetes
from deploy.kubernetes.overlay import overlay
from deploy.kubernetes.parts import NETWORK
from deploy.ordering import ExistingKafka, OwnKafka
from deploy.topology import TopologyError, load_topology
from tests.support.cluster import K8S, TOPOLOGIES, Rendered, contents, render

OLDEST, NEWEST = "1.28", kubernetes_validate.latest_version()
PRIVATE = b"PRIVATE KEY"


@pytest.mark.parametrize("release", [OLDEST, NEWEST])
def test_kubernetes_own_schemas_accept_every_manifest_strictly(rendered: Rendered, release: str) -> None:
    for document in rendered.documents:
        kubernetes_validate.validate(document, release, strict=True)


@pytest.mark.parametrize("release", [OLDEST, NEWEST])
def test_kubernetes_own_schemas_accept_the_job_that_checks_a_stopped_peer(release: str) -> None:
    kubernetes_validate.validate(yaml.safe_load((K8S / "verify.yaml").read_text()), release, strict=True)


def test_the_schemas_would_refuse_a_key_that_kubernetes_does_not_know(demo: Rendered) -> None:
    (document, *_) = demo.of_kind("StatefulSet")
    misspelt = {**document, "spec": {**document["spec"], "servicename": "peer0-pods"}}
    with pytest.raises(kubernetes_validate.ValidationError, match="servicename"):
        kubernetes_validate.validate(misspelt, NEWEST, strict=True)


def test_the_base_is_whole_by_itself() -> None:
    for document in render(K8S / "base"):
        kubernetes_validate.validate(document, NEWEST, strict=True)


def test_what_is_committed_is_what_the_description_says(rendered: Rendered) -> None:
    committed = K8S / "overlays" / rendered.topology.name
    there = {
        str(path.relative_to(committed)): path.read_text()
        for path in committed.rglob("*")
        if path.is_file() and not path.is_relative_to(committed / NETWORK)
    }
    assert there == rendered.texts, f"not up to date; try: make k8s TOPOLOGY={rendered.topology.name}"


def test_no_key_is_committed_and_git_would_not_take_one(tmp_path: Path) -> None:
    kept = [K8S / "overlays" / name / NETWORK for name in TOPOLOGIES]
    for path in K8S.rglob("*"):
        if path.is_file() and not any(path.is_relative_to(folder) for folder in kept):
            assert PRIVATE not in path.read_bytes()
            assert "kind: Secret" not in path.read_text()
    shutil.copy(K8S.parent / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for folder in kept:
        key = folder.relative_to(K8S.parent) / "crypto" / "root" / "priv_sk"
        assert subprocess.run(["git", "-C", tmp_path, "check-ignore", "-q", key], check=False).returncode == 0


def test_private_keys_are_in_secrets_alone(rendered: Rendered) -> None:
    for document in rendered.documents:
        if document["kind"] == "Secret":
            assert all(PRIVATE in content for content in contents(document).values())
        else:
            assert PRIVATE.decode() not in str(document)
            assert document["kind"] != "ConfigMap" or not any(PRIVATE in each for each in contents(document).values())


def test_an_organisations_namespace_has_no_key_of_another(rendered: Rendered) -> None:
    network = rendered.network
    keys = {
        path.read_bytes(): org.name
        for org in network.organisations
        for path in network.path(org.folder).rglob("*")
        if path.is_file() and PRIVATE in path.read_bytes()
    }
    found = set()
    for secret in rendered.of_kind("Secret"):
        for name, content in contents(secret).items():
            if not name.startswith("wallet"):
                assert secret["metadata"]["namespace"] == f"{network.topology}-{keys[content]}"
                found.add(content)
    authorities = {
        network.path(org.folder) / kind / "priv_sk" for org in network.organisations for kind in ("ca", "tlsca")
    }
    assert not found & {path.read_bytes() for path in authorities}, "no pod needs an authority's key"


def test_keys_are_drawn_once_and_kept(tmp_path: Path) -> None:
    first = CliRunner().invoke(program.main, ["demo", "--overlays", str(tmp_path)])
    assert first.exit_code == 0, first.output
    assert f"kubectl apply -k {tmp_path / 'demo'}" in first.output
    key = tmp_path / "demo" / NETWORK / "crypto" / "root" / "priv_sk"
    drawn = key.read_bytes()
    (tmp_path / "demo" / "gone").mkdir()
    (tmp_path / "demo" / "gone" / "kustomization.yaml").write_text("of a node that is described no more")
    again = CliRunner().invoke(program.main, ["demo", "--overlays", str(tmp_path)])
    assert again.exit_code == 0
    assert key.read_bytes() == drawn
    assert not (tmp_path / "demo" / "gone" / "kustomization.yaml").exists()


def test_keys_of_a_network_that_was_described_otherwise_are_not_taken_for_it(tmp_path: Path) -> None:
    CliRunner().invoke(program.main, ["demo", "--overlays", str(tmp_path)])
    shutil.rmtree(tmp_path / "demo" / NETWORK / "nodes" / "peer1.citizens.city")
    refused = CliRunner().invoke(program.main, ["demo", "--overlays", str(tmp_path)])
    assert refused.exit_code == 1
    assert "it has no nodes/peer1.citizens.city/etc/" in refused.output


def test_a_log_that_the_overlay_cannot_bring_along_is_refused() -> None:
    for ordering in (ExistingKafka(("kafka.example:9092",)), OwnKafka(brokers=3, zookeepers=0)):
        with pytest.raises(TopologyError, match="needed in Kubernetes: embedded, or numbers of brokers"):
            overlay(replace(load_topology("ordering4"), ordering=ordering), [], "0.1.0")


def test_a_name_that_kubernetes_does_not_take_is_refused() -> None:
    demo = load_topology("demo")
    with pytest.raises(TopologyError, match="'demo_2-ministry' cannot be a name in Kubernetes"):
        in_kubernetes(replace(demo, name="demo_2"))
