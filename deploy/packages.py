"""Programs that come with Debian's packages: where they are, and how they get there."""

import os
import shutil
import subprocess
import sys
from typing import Final

PACKAGES: Final = {
    "docker": "docker.io",
    "docker-compose": "docker-compose",
    "dockerd": "docker.io",
    "java": "default-jre-headless",
    "mmdebstrap": "mmdebstrap",
    "mvn": "maven",
}


class Missing(Exception):
    """A program is not installed, or what it should fetch cannot be had."""


def program(name: str, use: str) -> str:
    """Where a program is. Where it is not, and Debian's packages may be installed, it is installed first."""
    found = shutil.which(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {PACKAGES[name]} (once; a minute or two)", file=sys.stderr)  # noqa: T201
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", PACKAGES[name]]):
            subprocess.run(  # noqa: S603
                ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *arguments],  # noqa: S607
                env=environment,
                stdout=subprocess.DEVNULL,
                check=False,
            )
        found = shutil.which(name)
    if found is None:
        raise Missing(f"needed: {name}, for {use}; install it with: apt-get install {PACKAGES[name]}")
    return found
