"""The cluster as `kubectl` shows it."""

import json
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ROLE = "app.kubernetes.io/name"
BACK_SECONDS_MAX = 300.0
LOG_LINES = 100
_KILL = ("--force", "--grace-period=0")


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that runs. `uid` is another one's once it was deleted and made again."""

    namespace: str
    name: str
    role: str
    uid: str
    address: str
    ready: bool
    owner: str  # kind/name


class NotBack(Exception):
    """A pod that was deleted is not there again, or does not get ready."""


class Kubectl:
    """Everything in the namespaces of one network."""

    def __init__(self, command: str, prefix: str) -> None:
        self._command = shlex.split(command)
        self._prefix = prefix

    def run(self, *arguments: str) -> str:
        """What a command prints; CalledProcessError when it fails."""
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments[:6])}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def pods(self) -> list[Pod]:
        """Those that are to run for as long as the network does."""
        found = json.loads(self.run("get", "pods", "-A", "-l", "app.kubernetes.io/part-of=privysharing", "-o", "json"))
        pods = [_pod(each) for each in found["items"] if each["metadata"]["namespace"].startswith(self._prefix)]
        return [pod for pod in pods if not pod.owner.startswith("Job/")]

    def run_in(self, pod: Pod, command: Sequence[str]) -> str:
        """What a program in a pod prints."""
        return self.run("exec", "-n", pod.namespace, pod.name, "--", *command)

    def log(self, pod: Pod) -> str:
        """The last that a pod has said since it started."""
        return self.run("logs", "-n", pod.namespace, pod.name, f"--tail={LOG_LINES}")

    def start_in(self, pod: Pod, command: Sequence[str]) -> "subprocess.Popen[str]":
        """A program in a pod, to talk to."""
        return subprocess.Popen(
            [*self._command, "exec", "-i", "-n", pod.namespace, pod.name, "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def delete(self, pod: Pod, *, kill: bool = False) -> float:
        """Delete a pod, or kill it; how many seconds later as many of its owner's are ready again as before."""
        began = time.monotonic()
        before = {each.uid for each in self.pods() if (each.namespace, each.owner) == (pod.namespace, pod.owner)}
        self.run("delete", "pod", "-n", pod.namespace, pod.name, "--wait=false", *(_KILL if kill else ()))
        while time.monotonic() - began < BACK_SECONDS_MAX:
            now = [each for each in self.pods() if (each.namespace, each.owner) == (pod.namespace, pod.owner)]
            if pod.uid not in {each.uid for each in now} and len([each for each in now if each.ready]) == len(before):
                return time.monotonic() - began
            time.sleep(0.5)
        raise NotBack(f"{pod.name} of {pod.namespace} is not back after {BACK_SECONDS_MAX:.0f} s")


def _pod(document: dict[str, Any]) -> Pod:
    metadata, status = document["metadata"], document["status"]
    (owner,) = metadata["ownerReferences"]
    conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        role=metadata["labels"][ROLE],
        uid=metadata["uid"],
        address=status.get("podIP", ""),
        ready=conditions.get("Ready") == "True" and "deletionTimestamp" not in metadata,
        owner=f"{owner['kind']}/{owner['name']}",
    )
