"""A process drains on a signal, follows the one it belongs to, and says with its code how it ended."""

import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.runtime import process as runtime_process

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import asyncio, sys
from services.runtime.config import ConfigError
from services.runtime.process import run

async def serve(stop):
    print("started", flush=True)
    {body}
    print("drained", flush=True)

sys.exit(run(serve, stop_with=int(sys.argv[1]) if len(sys.argv) > 1 else None))
"""


def start(body: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
    return process.returncode, out, err


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == f"{line}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_process_drain(number: signal.Signals) -> None:
    process = start("await stop.wait()")
    wait_for(process, "started")
    process.send_signal(number)
    code, out, _ = finish(process)
    assert (code, out) == (0, "drained\n")


def test_a_second_signal_ends_it_at_once() -> None:
    process = start("await stop.wait(); print('stopping', flush=True); await asyncio.sleep(60)")
    wait_for(process, "started")
    process.send_signal(signal.SIGTERM)
    wait_for(process, "stopping")
    process.send_signal(signal.SIGTERM)
    code, out, err = finish(process)
    assert (code, out) == (1, "")
    assert "leaving at once" in err


def test_no_thread_of_a_process_that_wakes_up_pushes_another_aside() -> None:
    process = start(
        "import os, threading; await asyncio.to_thread(lambda: print(os.sched_getscheduler(0), flush=True))"
    )
    wait_for(process, "started")
    wait_for(process, str(os.SCHED_BATCH))
    assert finish(process)[0] == 0


def test_a_policy_of_scheduling_that_an_operator_chose_stays() -> None:
    def chosen() -> int:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # of this thread alone
        runtime_process._take_turns()
        return os.sched_getscheduler(0)

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(chosen).result() == os.SCHED_IDLE


def test_a_process_ends_with_the_one_it_belongs_to() -> None:
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = start("await stop.wait()", str(owner.pid))
    wait_for(process, "started")
    owner.kill()
    owner.communicate()
    assert finish(process)[:2] == (0, "drained\n")


def test_a_process_whose_owner_is_gone_already_ends_too() -> None:
    owner = subprocess.Popen([sys.executable, "-c", ""])
    owner.wait()
    assert finish(start("await stop.wait()", str(owner.pid)))[0] == 0


def test_a_configuration_error_and_a_fault_have_codes_of_their_own() -> None:
    code, _, err = finish(start("raise ConfigError('General.ListenPort: x is not a port')"))
    assert (code, err) == (2, "configuration: General.ListenPort: x is not a port\n")
    code, _, err = finish(start("raise OSError('disk on fire')"))
    assert code == 1
    assert "the process stops after a fault" in err
    assert "Traceback" in err


def test_a_fault_of_storage_says_in_one_line_what_was_to_be_done_and_where() -> None:
    code, _, err = finish(
        start("""
    from pathlib import Path
    from services.runtime.disk import DiskFault
    full = DiskFault(Path("/data/blocks"), "write 4096 bytes to", OSError(28, "No space left on device"))
    raise ExceptionGroup("tasks", [full, ExceptionGroup("more tasks", [full])])
    """)
    )
    assert code == 1
    why = "cannot write 4096 bytes to /data/blocks: No space left on device"
    assert err == f"the process stops after a fault: {why}\n"


def test_a_process_that_cannot_verify_as_fast_as_others_says_so() -> None:
    process = start("await asyncio.sleep(0)")
    _, _, quick = finish(process)
    assert "could" not in quick
    program = "import sys; sys.modules['_hashlib'] = None\nimport logging; logging.basicConfig()\n"
    process = subprocess.run(
        [sys.executable, "-c", program + PROGRAM.format(body="await asyncio.sleep(0)")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=30,
    )
    assert process.returncode == 0
    assert "each signature takes twice as long to verify as it could" in process.stderr


def test_what_was_loaded_is_not_searched_for_garbage_and_new_garbage_still_goes() -> None:
    process = start("""
    import gc, weakref
    class Ring: pass
    ring = Ring()
    ring.itself, gone = ring, weakref.ref(ring)
    del ring
    kept = [[] for _ in range(50_000)]
    print(gc.get_freeze_count() > 1000, gone() is None, flush=True)
    """)
    code, out, _ = finish(process)
    assert (code, out) == (0, "started\nTrue True\ndrained\n")


def test_a_process_opens_as_many_files_as_it_may() -> None:
    """Every connection is one."""
    ask = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'ulimit -Sn 200; exec "$0" -c "$1"', sys.executable, PROGRAM.format(body=ask)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    code, out, _ = finish(process)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert (code, out.splitlines()[1]) == (0, str((hard, hard)))
