"""A Docker that does as it is told."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.images.engine import Engine


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Engine]:
    """An engine whose `docker` does what a line of shell says."""

    def that(script: str) -> Engine:
        program = tmp_path / "docker"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
        return Engine(dict(os.environ))

    return that
