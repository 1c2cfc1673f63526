"""How the contents of a folder are laid out: a file `FORMAT` says it, written before anything else is there.

A release reads one version. What another one wrote is refused, and stays as it is.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from services.runtime.disk import Disk, StorageError, read_whole, write_whole

FORMAT_FILE = "FORMAT"


class OtherFormat(StorageError):
    """The folder was written by another release, or by another program."""


@dataclass(frozen=True, slots=True)
class Format:
    """A layout, its version, and what to do with a folder of another one."""

    name: str
    version: int
    remedy: str

    @property
    def mark(self) -> bytes:
        """What the file says."""
        return f"privysharing {self.name}, format {self.version}\n".encode()

    def check(self, disk: Disk, folder: Path, contents: str | None = None) -> None:
        """Mark a new folder, refuse another format, and, where they are named, contents without a mark.

        What never had a mark before its second format is of the first without one. Raises OtherFormat, DiskFault.
        """
        path = folder / FORMAT_FILE
        if disk.exists(path):
            found = read_whole(disk, path)
            if found != self.mark:
                raise OtherFormat(self.refusal(folder, _version(found)))
        elif contents is not None and disk.exists(folder / contents):
            raise OtherFormat(self.refusal(folder, f"no file {FORMAT_FILE} beside {contents}"))
        else:
            write_whole(disk, path, self.mark)

    def refusal(self, place: Path, found: str) -> str:
        """The text for something that has another version, or none."""
        return f"{place}: needed {self.name} of format {self.version}, found {found}; {self.remedy}"


def _version(mark: bytes) -> str:
    version = re.fullmatch(rb"privysharing .*, format (\d+)\n", mark)
    return f"format {version[1].decode()}" if version else repr(mark[:40])
