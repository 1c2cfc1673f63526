"""A base for images from Debian's packages, where no registry has one to give."""

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from deploy import packages
from deploy.images.engine import DockerFault, Engine

REGISTRY_BASE: Final = "debian:12-slim"
OWN_BASE: Final = "privysharing/base"
RELEASE: Final = "bookworm"
MIRROR: Final = "http://deb.debian.org/debian"
SECURITY: Final = "http://security.debian.org/debian-security"
_UNNEEDED: Final = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
_PULL_SECONDS_MAX: Final = 60.0


def has(engine: Engine, image: str) -> bool:
    """Whether an image is there."""
    return bool(engine.docker("images", "--quiet", image).strip())


def pull(engine: Engine, image: str) -> bool:
    """Whether an image is there, or could be fetched from its registry."""
    if has(engine, image):
        return True
    try:
        engine.docker("pull", "--quiet", image, timeout_s=_PULL_SECONDS_MAX)
    except DockerFault:
        return False
    return True


def make(engine: Engine) -> str:
    """Install Debian's essential packages in a folder, and make an image of it; its name."""
    mmdebstrap = packages.program("mmdebstrap", "a base for images")
    with tempfile.TemporaryDirectory(prefix="privysharing-base-") as folder:
        archive = Path(folder) / "base.tar"
        done = subprocess.run(  # noqa: S603
            [
                mmdebstrap,
                "--quiet",
                "--variant=apt",
                *(f"--dpkgopt=path-exclude={each}" for each in _UNNEEDED),
                RELEASE,
                str(archive),
                f"deb {MIRROR} {RELEASE} main",
                f"deb {MIRROR} {RELEASE}-updates main",
                f"deb {SECURITY} {RELEASE}-security main",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DockerFault(f"mmdebstrap cannot make a base: {(done.stdout + done.stderr).strip()[-2000:]}")
        engine.docker("import", str(archive), OWN_BASE)
    return OWN_BASE
