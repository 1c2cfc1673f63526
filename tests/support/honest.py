"""An honest client in a process of its own: one transaction after the other, each told on a line of its own.

python -m tests.support.honest NETWORK-FOLDER PERSON
"""

import asyncio
import json
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.manifest import Network
from deploy.wallets import network_wallet
from privysharing.sdk import connect
from services.client.network.identities import profile_of

CHANNEL, CONTRACT = "health", "privysharing"
PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Attempt:
    """One transaction, from its proposal to its commit."""

    began: float  # time.monotonic(), which all processes share
    seconds: float
    fault: str | None


class HonestClient:
    """The process, as a test sees it."""

    def __init__(self, folder: Path, person: str) -> None:
        command = [sys.executable, "-m", "tests.support.honest", str(folder), person]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._told: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def attempts(self, count: int, timeout_s: float = 60.0) -> list[Attempt]:
        """The next transactions that begin from now on."""
        now, found = time.monotonic(), list[Attempt]()
        while len(found) < count:
            attempt = self._told.get(timeout=timeout_s)
            if attempt.began >= now:
                found.append(attempt)
        return found

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if line.endswith("\n"):  # it may be killed in the middle
                    self._told.put(Attempt(**json.loads(line)))


async def _transact(folder: Path, person: str) -> None:
    network = Network.load(folder)
    entry = network_wallet(network).get(person)
    async with connect(profile_of(network, entry.msp_id), entry.signing_identity()) as connection:
        contract = connection.contract(CHANNEL, CONTRACT)
        while True:
            began, fault = time.monotonic(), None
            try:
                await contract.submit("SetProfile", json.dumps({"at": began}))
            except Exception as error:  # whatever it is, the test is to see it
                fault = f"{type(error).__name__}: {error}"
            print(  # noqa: T201 - what this process is for
                json.dumps({"began": began, "seconds": time.monotonic() - began, "fault": fault}), flush=True
            )
            await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    asyncio.run(_transact(Path(sys.argv[1]), sys.argv[2]))
