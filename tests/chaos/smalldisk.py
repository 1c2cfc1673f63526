"""A file system that can be filled to its last byte, and a node's data on it.

That is a tmpfs in a mount namespace of this program's own (of which nothing is left when it ends), for which one needs
to be root or to be allowed user namespaces; or else a small /dev/shm, which containers without privileges have. A limit
on the size of single files would not do: it is another error, and one file can be full while the next is not.
"""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MIB = 1024 * 1024
SIZE_MIN = 48 * MIB
SHARED = Path("/dev/shm")
SHARED_BYTES_MAX = 256 * MIB  # of memory that we would fill: containers have 64 MiB
MISSING = (
    "needed to fill disks: root with CAP_SYS_ADMIN, or user namespaces (`unshare --user --map-root-user --mount true` "
    f"must succeed), or a {SHARED} of at most {SHARED_BYTES_MAX // MIB} MiB, as containers have; found none of them"
)

_OURS = "PRIVY_CHAOS_MOUNTS"  # set where mounts are our own
_NAMESPACES = (("--mount",), ("--user", "--map-root-user", "--mount"))


def with_own_mounts(command: list[str]) -> None:
    """Become `command` in a mount namespace of its own; return when this is so already, or cannot be."""
    if _OURS in os.environ or shutil.which("unshare") is None:
        return
    for options in _NAMESPACES:
        with tempfile.TemporaryDirectory() as place:
            trial = ["unshare", *options, "mount", "-t", "tmpfs", "none", place]
            works = subprocess.run(trial, capture_output=True, check=False).returncode == 0
        if works:
            sys.stdout.flush()
            os.execvpe("unshare", ["unshare", *options, *command], {**os.environ, _OURS: "1"})


def can_be_filled() -> bool:
    """Whether there is anything to make a small disk of."""
    return _OURS in os.environ or _is_small(SHARED)


class SmallDisk:
    """Holds the data folder of a node that does not run, from `take_in` to `give_back`."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._kept = data.with_name("data.aside")
        self._place = Path(tempfile.mkdtemp(prefix="privy-chaos-", dir=None if _OURS in os.environ else SHARED))
        self._ballast = self._place / "ballast"

    def take_in(self) -> None:
        """Put the node's data here."""
        size = sum(file.stat().st_size for file in self._data.rglob("*") if file.is_file())
        if _OURS in os.environ:
            room = max(SIZE_MIN, 2 * size)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "none", self._place], check=True)
        shutil.copytree(self._data, self._place / "data")
        self._data.rename(self._kept)
        self._data.symlink_to(self._place / "data")

    def fill(self, headroom: int) -> None:
        """Leave so many bytes, at most."""
        with self._ballast.open("wb") as ballast:
            while True:
                status = os.statvfs(self._place)
                try:
                    os.posix_fallocate(ballast.fileno(), 0, max(1, status.f_bavail * status.f_frsize - headroom))
                except OSError as error:
                    if error.errno != errno.ENOSPC:  # else the node was quicker
                        raise
                else:
                    return

    def make_room(self) -> None:
        """Leave as much as there was."""
        self._ballast.unlink(missing_ok=True)

    def give_back(self) -> None:
        """Put the node's data where it was."""
        self.make_room()
        self._data.unlink()
        shutil.copytree(self._place / "data", self._data)
        shutil.rmtree(self._kept)
        if _OURS in os.environ:
            subprocess.run(["umount", self._place], check=True)
        shutil.rmtree(self._place)


def _is_small(folder: Path) -> bool:
    if not os.access(folder, os.W_OK):
        return False
    status = os.statvfs(folder)
    return status.f_blocks * status.f_frsize <= SHARED_BYTES_MAX and status.f_bavail * status.f_frsize >= SIZE_MIN
