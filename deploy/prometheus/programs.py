"""Prometheus and promtool: those of this machine, or Debian's, unpacked into the checkout.

Unpacked and not installed, since the package starts a service of its own, now and whenever the machine starts.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.packages import Missing

PROMETHEUS, PROMTOOL = "prometheus", "promtool"
PACKAGE: Final = "prometheus"
FOLDER: Final = Path(__file__).parents[2] / "var" / "prometheus"
_UNPACKED: Final = FOLDER / "programs"  # 110 MB
_PAGES: Final = _UNPACKED / "usr" / "share" / "prometheus" / "web"
_HISTORY: Final = "usr/share/javascript/moment-timezone/data"  # of time zones: 200 MB that no page wants
_NEEDS: Final = re.compile(r"^(?:prometheus|libjs-\S+|fonts-\S+)$", re.MULTILINE)  # its pages are made of the latter
_ONLY_DEPENDS: Final = [
    f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
]


def program(name: str) -> str:
    """Where a program is; Debian's package is fetched where it is not. Raises Missing."""
    if (found := shutil.which(name)) is not None:
        return found
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two may want it at once
        if not _UNPACKED.exists():
            _unpack()
    return str(_UNPACKED / "usr" / "bin" / name)


def pages(prometheus: str) -> list[str]:
    """What a program has to be told of its web pages."""
    return [f"--web.local-assets={_PAGES}"] if Path(prometheus).is_relative_to(_UNPACKED) else []


def _unpack() -> None:
    missing = f"needed: {PROMETHEUS} and {PROMTOOL}; install them with: apt-get install {PACKAGE}"
    if not all(map(shutil.which, ("apt-get", "apt-cache", "dpkg-deb"))):
        raise Missing(missing)
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        folder = Path(name)
        try:
            if os.geteuid() == 0:
                _run(["apt-get", "-qq", "update"], folder)
            wanted = _NEEDS.findall(_run(["apt-cache", "depends", "--recurse", *_ONLY_DEPENDS, PACKAGE], folder))
            _run(["apt-get", "-qq", "download", *wanted], folder)
            for archive in sorted(folder.glob("*.deb")):
                _run(["dpkg-deb", "-x", archive.name, "root"], folder)
        except subprocess.CalledProcessError as error:
            raise Missing(f"{missing} ({error.stderr.strip()[-500:]})") from None
        shutil.rmtree(folder / "root" / _HISTORY, ignore_errors=True)
        (folder / "root").rename(_UNPACKED)


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return done.stdout
