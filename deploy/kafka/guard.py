"""Ends a cluster when the process that it is for has ended, however that ended: Java asks after nobody."""

import contextlib
import os
import select
import sys
from pathlib import Path

from deploy.kafka.cluster import Cluster


def main() -> None:
    """`python -m deploy.kafka.guard FOLDER PID`."""
    folder, owner = sys.argv[1:]
    cluster = Cluster.load(Path(folder))
    with contextlib.suppress(ProcessLookupError):
        select.select([os.pidfd_open(int(owner))], [], [])  # also when nobody buries it
    cluster.kill()


if __name__ == "__main__":
    main()
