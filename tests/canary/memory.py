"""All that a process has in memory, as a core of it would hold: every mapping that can be read, as it stands still."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import psutil

_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (r\S{3}) \S+ \S+ \S+ *(.*)")
_PIECE_BYTES = 16 * 1024 * 1024
_NOT_MEMORY = ("[vvar", "[vsyscall]")  # pages of the kernel's that nobody can read through the file


def mappings(pid: int) -> Iterator[tuple[str, bytes]]:
    """What each mapping is called, and its bytes. PermissionError where the system does not allow it."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        ranges = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for found in filter(None, map(_MAPPING.fullmatch, ranges)):
                start, end, access, name = int(found[1], 16), int(found[2], 16), found[3], found[4]
                if name.startswith(_NOT_MEMORY):
                    continue
                if name.startswith("/") and "w" not in access and not name.endswith("(deleted)"):
                    continue  # programs, libraries and data, as their files hold them
                yield name or "anonymous", _read(memory.fileno(), start, end)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


def _read(memory: int, start: int, end: int) -> bytes:
    """One mapping, up to the first page that is not there: a file may be shorter than what was mapped of it."""
    found = bytearray()
    with contextlib.suppress(OSError):
        while start + len(found) < end:
            piece = os.pread(memory, min(_PIECE_BYTES, end - start - len(found)), start + len(found))
            if not piece:
                break
            found += piece
    return bytes(found)
