"""In place of the process that verifies: answers each request with the line that ANSWER in its environment is."""

import os
import sys

from services.peer.verifier_process import RELEASE

if __name__ == "__main__":
    sys.stdout.write(RELEASE + "\n")
    sys.stdout.flush()
    while sys.stdin.buffer.readline():
        sys.stdout.write(os.environ["ANSWER"] + "\n")
        sys.stdout.flush()
