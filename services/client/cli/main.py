"""The program `privy`: runs a command, and says in one message what went wrong.

Imports nothing before it runs, so that whoever interrupts it early gets a word and not a traceback.
"""

import sys
from typing import NoReturn

EXIT_INTERRUPTED = 130  # as shells say it of SIGINT


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run `privy`. Errors become one clear message, in JSON with `--json`; PRIVY_DEBUG=1 shows where they arose."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        from services.client.cli.root import run

        status = run(arguments)
    except KeyboardInterrupt:
        if "--json" in arguments:
            sys.stdout.write('{"error": {"message": "interrupted"}}\n')
        else:
            sys.stderr.write("Aborted!\n")
        status = EXIT_INTERRUPTED
    sys.exit(status)
