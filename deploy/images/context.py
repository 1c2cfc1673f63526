"""What goes into images, gathered in a folder for each Dockerfile: all of it pinned, none of it a key."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.kafka.programs import LOGGING, archives
from deploy.packages import Missing

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
FOLDER: Final = ROOT / "var" / "images"
LOCK: Final = HERE / "requirements.lock"  # what nodes and clients run on; a part of the one at the top
RECORDINGS: Final = ROOT / "recordings.lock"
# What our own distribution is made of.
SOURCES: Final = ("privysharing", "services", "deploy", "bench", "pyproject.toml", "README.md", "LICENSE")
PYTHON: Final = "3.11"  # Debian 12's
_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_LIBRARIES: Final = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")  # Debian 12 has 2.36


def node_context(architecture: str) -> Path:
    """The folder for `node.Dockerfile`, for an engine of that architecture."""
    folder = FOLDER / f"node-{architecture}"
    folder.mkdir(parents=True, exist_ok=True)
    for lock in (LOCK, RECORDINGS):
        shutil.copy(lock, folder)
    platforms = [f"--platform={library}_{_machine(architecture)}" for library in _LIBRARIES]
    _download(LOCK, folder / "wheels", platforms)
    _download(RECORDINGS, folder / "recordings", platforms)
    _build_distribution(folder / "distribution")
    return folder


def kafka_context() -> Path:
    """The folder for `kafka.Dockerfile`."""
    folder = FOLDER / "kafka"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "lib").mkdir(parents=True)
    for archive in archives().glob("*.jar"):
        os.link(archive, folder / "lib" / archive.name)
    shutil.copy(LOGGING, folder)
    return folder


def _machine(architecture: str) -> str:
    try:
        return _MACHINES[architecture]
    except KeyError:
        raise Missing(f"found an engine for {architecture}; needed: one for {' or '.join(_MACHINES)}") from None


def _download(lock: Path, folder: Path, platforms: Sequence[str]) -> None:
    """The wheels that a lock pins, once for each state of it."""
    state, mark = hashlib.sha256(lock.read_bytes()).hexdigest(), folder.with_suffix(".sha256")
    if folder.exists() and mark.exists() and mark.read_text() == state:
        return
    shutil.rmtree(folder, ignore_errors=True)
    wanted = ["--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(lock)]
    _pip("download", "-d", str(folder), f"--python-version={PYTHON}", "--implementation=cp", *platforms, *wanted)
    mark.write_text(state)


def _build_distribution(folder: Path) -> None:
    """Our own wheel, byte for byte the same as long as its sources are."""
    with tempfile.TemporaryDirectory(prefix="privysharing-wheel-") as name:
        sources, wheel = Path(name) / "sources", Path(name) / "wheel"
        sources.mkdir()
        for each in SOURCES:
            copy = shutil.copytree if (ROOT / each).is_dir() else shutil.copy
            copy(ROOT / each, sources / each)
        for compiled in sources.rglob("__pycache__"):
            shutil.rmtree(compiled)
        _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(wheel), str(sources), SOURCE_DATE_EPOCH="0")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(wheel, folder)


def _pip(*arguments: str, **environment: str) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pip", *arguments[:1], "-q", "--disable-pip-version-check", *arguments[1:]],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"pip cannot get what images are made of: {(done.stdout + done.stderr).strip()[-2000:]}")
