"""`python -m tests.cluster`: a network in a cluster, pod by pod, and what came of it as JSON on the last line."""

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click

from deploy.kubernetes.arrows import Role
from deploy.topology import load_topology
from tests.cluster import load as program
from tests.cluster.kubectl import Kubectl, Pod
from tests.cluster.reach import misreached

ACKNOWLEDGED_BETWEEN = 20  # transactions, from one deletion to the next
QUIET_SECONDS_MAX = 180.0
LEVEL_SECONDS_MAX = 60.0
EXIT_BROKEN = 1


class Talking:
    """The load in a client's pod, as it tells of itself."""

    def __init__(self, kubectl: Kubectl, client: Pod, arguments: list[str]) -> None:
        source = Path(program.__file__).read_text()
        self._process = kubectl.start_in(client, ["python3", "-c", source, *arguments])
        self.acknowledged = 0
        self._longest_quiet_s = 0.0
        self._end: dict[str, Any] = {}
        self._heard = time.monotonic()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def wait(self, more: int) -> None:
        """Until so many more are acknowledged."""
        wanted, deadline = self.acknowledged + more, time.monotonic() + QUIET_SECONDS_MAX
        while self.acknowledged < wanted:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise click.ClickException(f"only {self.acknowledged} of {wanted} transactions are acknowledged")
            time.sleep(0.2)

    def quiet_s(self) -> float:
        """The longest time without an acknowledgement since this was last asked."""
        longest, self._longest_quiet_s = self._longest_quiet_s, 0.0
        return round(longest, 1)

    def stop(self) -> dict[str, Any]:
        """Its last word."""
        assert self._process.stdin is not None
        self._process.stdin.write("stop\n")
        self._process.stdin.flush()
        try:
            self._process.wait(300)
            self._listener.join(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._end

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            fact = json.loads(line)
            now = time.monotonic()
            self._longest_quiet_s = max(self._longest_quiet_s, now - self._heard)
            self._heard = now
            self.acknowledged = fact.get("acknowledged", self.acknowledged)
            self._end = fact.get("end", {})


_COMMITTED = re.compile(r"committed block channel=(\S+) block=(\d+) .*commit_hash=([0-9a-f]+)")


def newest_block(log: str, channel: str) -> str:
    """The newest block of a channel that a peer says it has committed: its number and its commit hash, or nothing.

    The hash is of all transactions and verdicts up to there: peers that have the same one have the same ledger.
    """
    committed = [(number, digest) for name, number, digest in _COMMITTED.findall(log) if name == channel]
    return " ".join(committed[-1]) if committed else ""


def ends(kubectl: Kubectl, channel: str) -> dict[str, str]:
    """The newest block of each peer on a channel, once all have the same, or when the time is over."""
    deadline = time.monotonic() + LEVEL_SECONDS_MAX
    while True:
        peers = [pod for pod in kubectl.pods() if pod.role == Role.PEER]
        found = {f"{pod.namespace}/{pod.name}": newest_block(kubectl.log(pod), channel) for pod in peers}
        if len(set(found.values())) == 1 or time.monotonic() > deadline:
            return found
        time.sleep(1)


@click.command()
@click.option("--kubectl", "command", default="kubectl", show_default=True, help="How to reach the cluster.")
@click.option("--topology", default="demo", show_default=True, help="Which network is there.")
@click.option("--organisation", default="citizens", show_default=True, help="Whose client submits.")
@click.option("--user", default="carol", show_default=True, help="As whom.")
@click.option("--kill", is_flag=True, help="Give no pod time to end.")
def main(command: str, topology: str, organisation: str, user: str, kill: bool) -> None:
    """Try who reaches whom; then delete every pod of a network, one at a time, under load."""
    described = load_topology(topology)
    kubectl = Kubectl(command, f"{topology}-")
    pods = kubectl.pods()
    reached = sorted(misreached(kubectl, described))
    for line in reached:
        click.echo(line)
    client = next(pod for pod in pods if pod.role == Role.CLIENT and pod.namespace == f"{topology}-{organisation}")
    talking = Talking(kubectl, client, [organisation, user, described.channels[0].name])
    talking.wait(ACKNOWLEDGED_BETWEEN)
    deleted = {}
    for pod in (pod for pod in pods if pod != client):
        talking.quiet_s()
        back_s = round(kubectl.delete(pod, kill=kill), 1)
        talking.wait(ACKNOWLEDGED_BETWEEN)
        deleted[f"{pod.namespace}/{pod.name}"] = {"back_s": back_s, "quiet_s": talking.quiet_s()}
        click.echo(f"{pod.name} of {pod.namespace} was back after {back_s} s; {talking.acknowledged} acknowledged")
    end = talking.stop()
    deleted[f"{client.namespace}/{client.name}"] = {"back_s": round(kubectl.delete(client, kill=kill), 1)}
    newest = ends(kubectl, described.channels[0].name)
    click.echo(json.dumps({"deleted": deleted, "misreached": reached, "ends": newest, **end}))
    one_end = len(set(newest.values())) == 1 and all(newest.values())
    if end.get("spoilt", "nothing was said") or reached or not one_end:
        sys.exit(EXIT_BROKEN)


if __name__ == "__main__":
    main()
