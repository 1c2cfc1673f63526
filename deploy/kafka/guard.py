"""Ends a cluster when the process that it is for has ended, however that ended: Java asks after nobody."""

import contextlib
import sys
from pathlib import Path

import psutil

from deploy.kafka.cluster import Cluster


def main() -> None:
    """`python -m deploy.kafka.guard FOLDER PID`."""
    folder, owner = sys.argv[1:]
    cluster = Cluster.load(Path(folder))
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(owner)).wait()
    cluster.kill()


if __name__ == "__main__":
    main()
