"""`privy demo` tells its story to the end, and leaves no process behind however it ends."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.live import PROGRAMS

DEMO_SECONDS_MAX = 60.0
STOPPING_SECONDS_MAX = 20.0  # nodes drain for 10 s at most
NODES = 5


@contextmanager
def demo(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """The demo, which keeps its network below `folder`; dead at the end."""
    process = subprocess.Popen(
        [str(PROGRAMS / "privy"), "demo"],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def nodes_below(folder: Path) -> list[psutil.Process]:
    """Processes of networks below a folder, whoever their parent is by now."""
    return [
        process
        for process in psutil.process_iter(["cwd"])
        if str(process.info["cwd"] or "").startswith(str(folder)) and process.status() != psutil.STATUS_ZOMBIE
    ]


def wait_until(condition: Callable[[], bool], seconds: float, process: "subprocess.Popen[str] | None" = None) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process and process.communicate()
        time.sleep(0.02)


def test_the_story_ends_with_demo_ok(tmp_path: Path) -> None:
    began = time.monotonic()
    with demo(tmp_path) as process:
        output, _ = process.communicate(timeout=120)
        took = time.monotonic() - began
    assert process.returncode == 0, output
    assert output.splitlines()[-1] == "demo ok"
    assert took < DEMO_SECONDS_MAX
    for told in ("access denied: not enough permissions", "stakeholder does not have enough coins", "recording: "):
        assert told in output
    assert nodes_below(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def first_node_starts(folder: Path) -> bool:
    return len(nodes_below(folder)) >= 1


def all_nodes_serve_and_the_story_is_on(folder: Path) -> bool:
    """Each peer has more than the blocks that define the contract."""
    logs = [log.read_bytes() for log in folder.glob("*/nodes/peer*/log")]
    return len(logs) == NODES - 1 and all(log.count(b"committed block") >= 6 for log in logs)


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, first_node_starts),
        (signal.SIGINT, all_nodes_serve_and_the_story_is_on),
        (signal.SIGTERM, all_nodes_serve_and_the_story_is_on),
        (signal.SIGHUP, all_nodes_serve_and_the_story_is_on),
        (signal.SIGKILL, all_nodes_serve_and_the_story_is_on),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else value.__name__,
)
def test_interrupted_it_leaves_no_process_behind(
    number: signal.Signals, moment: Callable[[Path], bool], tmp_path: Path
) -> None:
    with demo(tmp_path) as process:
        wait_until(lambda: moment(tmp_path), 60, process)
        process.send_signal(number)
        output, _ = process.communicate(timeout=STOPPING_SECONDS_MAX)
        assert process.returncode != 0, output
        assert "demo ok" not in output
        wait_until(lambda: not nodes_below(tmp_path), STOPPING_SECONDS_MAX)
    if number is not signal.SIGKILL:
        assert "Traceback" not in output
        assert list(tmp_path.iterdir()) == []


def test_a_story_that_breaks_names_its_scene_and_keeps_the_logs(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        wait_until(lambda: first_node_starts(tmp_path), 60, process)
        for node in nodes_below(tmp_path):
            node.kill()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in output
    (folder,) = tmp_path.iterdir()
    assert "error: in scene 1 (A city's organisations start their nodes): " in output
    assert f"each node's log is kept, in {folder / 'nodes'}" in output
    assert list(folder.glob("nodes/*/log"))
    assert nodes_below(tmp_path) == []
