"""What images are made of, and what is said when they cannot be."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy import packages
from deploy.images import __main__ as command
from deploy.images import engine as engines
from deploy.images.build import ROLES, build
from deploy.images.context import FOLDER, LOCK, ROOT
from deploy.images.engine import DockerFault, Engine
from deploy.packages import Missing

HERE = Path(engines.__file__).parent
DOCKERFILES = sorted(HERE.glob("*.Dockerfile"))
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def test_images_pin_what_the_lock_pins_and_no_tools() -> None:
    everything, ours = ({*PINNED.findall(file.read_text())} for file in (ROOT / "requirements.lock", LOCK))
    assert ours < everything, "run: make lock"
    assert not {"pytest", "mypy", "ruff", "grpcio-tools"} & {name for name, _ in ours}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = {re.split(r"[<>=\[ ]", each)[0] for each in project["dependencies"]}
    assert direct <= {name for name, _ in ours}, "run: make lock"


def test_every_role_is_built_on_the_one_base_and_ends_as_another_user_than_root() -> None:
    texts = [file.read_text() for file in DOCKERFILES]
    assert len(texts) == 2
    for text in texts:
        assert "ARG BASE=debian:12-slim" in text
        assert "\nUSER 10001:10001\n" in text
        assert "HEALTHCHECK" not in text  # whoever orchestrates probes
        assert text.count("FROM scratch") == 1
    built = {role for text in texts for role in re.findall(r"^FROM (?:node|member) AS (\w+)", text, re.MULTILINE)}
    assert built == {*ROLES}


def test_documented_starts_are_programs_that_are_installed() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    started = re.findall(r'^ENTRYPOINT \["(privy[a-z-]*)"', (HERE / "node.Dockerfile").read_text(), re.MULTILINE)
    assert set(started) == {"privy", "privy-orderer", "privy-peer"} <= scripts.keys()


def test_without_an_engine_or_the_right_to_start_one_the_line_to_type_is_named(
    monkeypatch: pytest.MonkeyPatch, docker: Callable[[str], Engine]
) -> None:
    docker("exit 1")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Missing, match=r"needed: a Docker engine .*apt-get install docker\.io && systemctl"):
        engines.engine()


def test_without_docker_the_line_to_type_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match=r"install it with: apt-get install docker\.io"):
        packages.program("docker", "containers")


def test_a_base_that_no_registry_gives_is_told_with_what_makes_one(docker: Callable[[str], Engine]) -> None:
    with pytest.raises(Missing, match="make image-base; then: make images BASE=privysharing/base"):
        build(docker("test $1 = images"), "debian:12-slim")


def test_what_the_engine_complains_of_is_passed_on(docker: Callable[[str], Engine]) -> None:
    with pytest.raises(DockerFault, match=r"docker build \. ended with 7: no space left"):
        docker("echo no space left >&2; exit 7").docker("build", ".")
    with pytest.raises(DockerFault, match=r"docker version: no answer in 0\.2 s"):
        docker("exec sleep 5").docker("version", timeout_s=0.2)


def test_a_role_that_there_is_not_is_refused() -> None:
    refused = CliRunner().invoke(command.main, ["build", "broker"])
    assert refused.exit_code == 2
    assert "found broker" in refused.output


def test_nothing_of_an_image_is_kept_in_the_repository() -> None:
    assert FOLDER.is_relative_to(ROOT / "var")
    assert engines.FOLDER.is_relative_to(ROOT / "var")
