"""The command line `privy`, run in the test's own process."""

from typing import Protocol


class Run(Protocol):
    """Runs `privy` with these arguments: exit status, standard output, standard error."""

    def __call__(self, *arguments: object) -> tuple[int, str, str]: ...
