"""Nodes as processes: started once, known by more than a number, asked directly, and stopped for certain."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.manifest import Network, NodeEntry
from deploy.ports import choose_ports
from services.client.network import processes as module
from services.client.network.contracts import bring_up
from services.client.network.processes import NodeEnded, NodeNotReady, Processes

HEALTHY = """
import http.server, sys
class Healthz(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Healthz).serve_forever()
"""
UNWELL = HEALTHY.replace("200 if", "503 if")
REASON = UNWELL.replace(
    "self.end_headers()",
    """self.end_headers()
        self.wfile.write(b'{"failed_checks": [{"component": "disk", "reason": "3 MiB left"}]}')""",
)
NONSENSE = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = server.accept()
    connection.recv(1000)
    connection.sendall(b"this is not HTTP\\r\\n\\r\\n")
    connection.close()
"""
ENDING = "print('no such key: listen'); raise SystemExit(1)"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + HEALTHY


class Town:
    """A network whose nodes are small programs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.made: list[Processes] = []

    def processes(self, **programs: str) -> Processes:
        ports = choose_ports(programs)
        nodes = tuple(
            self._node(name, ports[name], order, program) for order, (name, program) in enumerate(programs.items())
        )
        self.made.append(Processes(Network(self._folder, "test", "A town", False, (), nodes, ())))
        return self.made[-1]

    def _node(self, name: str, port: int, order: int, program: str) -> NodeEntry:
        home = self._folder / name
        home.mkdir()
        (home / "program.py").write_text(program)
        command = (Path(sys.executable).name, f"{name}/program.py", str(port))
        operations = f"127.0.0.1:{port}"
        config = f"{name}/core.yaml"
        return NodeEntry(name, "peer", "o", "O", order, command, config, name, "", "", "", operations, (), True)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path)
    yield town
    for each in town.made:
        each.stop()


def test_a_prometheus_that_was_asked_for_stops_with_the_last_node(town: Town) -> None:
    processes = town.processes(a=HEALTHY, b=HEALTHY)
    processes.start()
    assert processes.prometheus is None
    address = processes.watch()
    assert processes.watch() == address  # it runs already
    assert processes.prometheus is not None
    found = Processes(processes.network)
    assert found.prometheus == processes.prometheus
    watching = processes.prometheus.running
    found.stop(["a"])
    assert watching.process is not None
    found.stop()
    assert watching.process is None
    assert found.pids() == {}
    host, port = address.split(":")
    with socket.create_server((host, int(port))):
        assert found.watch() != address  # somebody else is there now
        found.stop()


async def test_nodes_start_serve_and_stop(town: Town, tmp_path: Path) -> None:
    processes = town.processes(first=HEALTHY, second=HEALTHY)
    assert processes.pids() == {}
    processes.start()
    await processes.ready(20)
    pids = processes.pids()
    assert set(pids) == {"first", "second"}
    for node in processes.network.nodes:
        health = await processes.health(node)
        assert (health.pid, health.serves) == (pids[node.name], True)
    processes.stop()
    assert processes.pids() == {}
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert (tmp_path / "first" / "log").read_text().startswith("serving\n")


async def test_what_runs_is_found_by_another_program_and_not_started_again(town: Town) -> None:
    processes = town.processes(first=HEALTHY, second=HEALTHY)
    processes.start(["first"])
    before = processes.pids()
    other = Processes(processes.network)
    other.start()
    await other.ready(20)
    assert other.pids()["first"] == before["first"]
    other.stop(["second"])
    assert processes.pids() == before


async def test_a_node_that_ends_is_told_with_its_last_words(town: Town) -> None:
    processes = town.processes(well=HEALTHY, ending=ENDING)
    processes.start()
    with pytest.raises(NodeEnded, match=r"ending ended; its log \S+/ending/log ends with:\nno such key: listen"):
        await processes.ready(20)


async def test_a_nodes_last_words_are_whole_lines(town: Town) -> None:
    processes = town.processes(ending="for n in range(1000): print('line', n)")
    processes.start()
    with pytest.raises(NodeEnded, match=r"ends with:\nline \d+\n(line \d+\n)+line 999$"):
        await processes.ready(20)


@pytest.mark.parametrize(
    ("program", "reason"),
    [(UNWELL, r"\S+ answers with status 503"), (NONSENSE, r"\S+ does not answer"), (REASON, "disk: 3 MiB left")],
    ids=["unwell", "nonsense", "reason"],
)
async def test_a_node_that_does_not_serve_in_time_is_told_with_its_reason(
    program: str, reason: str, town: Town
) -> None:
    processes = town.processes(slow=program)
    processes.start()
    with pytest.raises(NodeNotReady, match=f"slow does not serve yet: {reason}; its log"):
        await processes.ready(1)
    assert set(processes.pids()) == {"slow"}


async def test_nodes_are_asked_directly_whatever_proxy_the_environment_names(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    processes = town.processes(first=HEALTHY)
    processes.start()
    await processes.ready(20)


def test_a_node_that_does_not_drain_is_killed(town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS_MAX", 0.5)
    processes = town.processes(stubborn=STUBBORN)
    processes.start()
    (pid,) = processes.pids().values()
    while "serving" not in (tmp_path / "stubborn" / "log").read_text():
        pass
    processes.stop()
    assert not psutil.pid_exists(pid)


def test_a_process_that_was_not_started_here_is_never_taken_for_a_node(town: Town, tmp_path: Path) -> None:
    processes = town.processes(first=HEALTHY)
    record = tmp_path / "first" / "process.json"
    started = psutil.Process().create_time()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        for text in (
            json.dumps({"pid": stranger.pid, "started": started - 1000}),  # its number, used again
            json.dumps({"pid": stranger.pid}),
            json.dumps([stranger.pid]),
            json.dumps({"pid": -1, "started": 1}),
            json.dumps({"pid": 2**22 + 1, "started": 1}),
            "{",
        ):
            record.write_text(text)
            assert processes.pids() == {}
            processes.stop()
            assert stranger.poll() is None
        stranger.communicate(b"\n")
    record.write_text(json.dumps({"pid": os.getpid(), "started": started}))
    assert processes.pids() == {"first": os.getpid()}
    record.unlink()


def test_a_program_that_is_not_installed_is_told_by_name(town: Town) -> None:
    processes = town.processes(first=HEALTHY)
    (node,) = processes.network.nodes
    missing = NodeEntry(**{**{name: getattr(node, name) for name in node.__slots__}, "command": ("privy-nothing",)})
    with pytest.raises(FileNotFoundError, match="install the distribution privysharing"):
        Processes(Network(processes.network.folder, "test", "", False, (), (missing,), ())).start()


async def test_bringing_up_in_vain_stops_what_it_started_and_not_what_ran_before(town: Town) -> None:
    processes = town.processes(first=HEALTHY, second=ENDING)
    processes.start(["first"])
    before = processes.pids()
    with pytest.raises(NodeEnded):
        await bring_up(processes)
    assert processes.pids() == before
