"""Everything that a network has written, said or remembers, and who sees it there."""

import shutil
import urllib.request
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deploy.manifest import NodeEntry
from services.client.network.processes import Processes
from tests.canary import http2, leveldb, memory
from tests.canary.proxies import Recorded

FILES, MEMORY, METRICS, CONNECTIONS = "files", "memory", "metrics", "connections"
PAGES = ("metrics", "healthz", "version", "logspec")
EVERYBODY = "everybody"

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to look. `seen_by`: nodes, people, or everybody; a connection is seen by both its ends."""

    name: str
    kind: str
    seen_by: frozenset[str]
    content: bytes = field(repr=False)


def files(folder: Path, nodes: Iterable[NodeEntry]) -> Iterator[Place]:
    """Each file of a network whose nodes have stopped, and what is in it where it is a LevelDB's.

    What a node logs is for everybody: logs are collected, shown and sent on.
    """
    owners = {folder / Path(node.config).parent: node.name for node in nodes}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        owner = next((owners[each] for each in file.parents if each in owners), EVERYBODY)
        seen_by = frozenset({EVERYBODY if file.parent in owners else owner})
        content, name = file.read_bytes(), str(file.relative_to(folder))
        yield Place(name, FILES, seen_by, content)
        if leveldb.is_database(file.parent):
            for kind, unpacked in _database(file.name, content):
                yield Place(f"{name}, {kind}", FILES, seen_by, unpacked)


def _database(file: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if leveldb.TABLE.fullmatch(file):
        yield "entries", b"\n".join(leveldb.entries(content))
    elif leveldb.LOG.fullmatch(file):
        yield "records", b"\n".join(leveldb.records(content))


def memories(processes: Processes, nodes: Collection[str]) -> Iterator[Place]:
    """Every mapping of the processes of these nodes, which run."""
    pids = processes.pids()
    for node in nodes:
        pid = pids[node]
        for name, content in memory.mappings(pid):
            yield Place(f"{name} of {node}", MEMORY, frozenset({node}), content)


def pages(nodes: Iterable[NodeEntry]) -> Iterator[Place]:
    """What operations ports show to whoever asks: nobody who does is a member."""
    for node in nodes:
        for page in PAGES:
            with _OPENER.open(f"http://{node.operations_address}/{page}", timeout=10) as answer:
                yield Place(f"{page} of {node.name}", METRICS, frozenset({EVERYBODY}), answer.read())


def connections(recorded: Iterable[Recorded]) -> Iterator[Place]:
    """Both directions of each, as they came out of TLS and put together again."""
    for number, each in enumerate(recorded):
        ends = frozenset({each.caller, each.node})
        for arrow, said in ((">", bytes(each.asked)), ("<", bytes(each.answered))):
            name = f"connection {number}, {each.caller} {arrow} {each.node}"
            yield Place(name, CONNECTIONS, ends, said)
            for piece, content in http2.pieces(said):
                yield Place(f"{name}, {piece}", CONNECTIONS, ends, content)


def back_up(source: Path, target: Path) -> None:
    """A copy of a stopped node's data, in place of what is there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
