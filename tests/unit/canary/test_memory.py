"""What a process has in memory is seen, wherever there."""

import subprocess
import sys

from tests.canary import memory
from tests.canary.canaries import text_canary
from tests.canary.search import Search

KEEPS = """
import mmap, sys
given = sys.stdin.readline().strip()
held = [given, bytes.fromhex(given).decode(), mmap.mmap(-1, 1 << 20)]
held[2][5000:] = bytes.fromhex(given).ljust((1 << 20) - 5000, b".")
print("kept", flush=True)
sys.stdin.read()
"""


def test_a_value_is_seen_in_memory_as_the_program_keeps_it() -> None:
    canary, unknown = text_canary("given"), text_canary("unknown")
    process = subprocess.Popen([sys.executable, "-c", KEEPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(canary.forms[0].hex().encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        sought = Search([canary, unknown])
        found = [each for name, content in memory.mappings(process.pid) for each in sought.find(name, content)]
    finally:
        process.kill()
        process.communicate()
    assert {finding.canary for finding in found} == {"given"}
    assert {"raw", "hex", "UTF-16-LE"} <= {finding.encoding for finding in found}
