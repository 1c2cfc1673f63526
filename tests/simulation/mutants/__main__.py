"""Hunt mutants: `python -m tests.simulation.mutants`, or some by name: `... stale-reads-hold a-block-is-not-synced`."""

import json
import os
import sys
from dataclasses import asdict

import click

from tests.simulation.mutants.catalogue import MUTANTS
from tests.simulation.mutants.hunt import hunt_all


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--seeds", default=40, show_default=True, help="How many runs a mutant may survive.")
@click.option("--first", default=0, show_default=True, help="The seed of the first.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="How many at a time.")
@click.option("--as-json", is_flag=True, help="A line of JSON for each.")
def main(names: tuple[str, ...], seeds: int, first: int, jobs: int, as_json: bool) -> None:
    """The command. Ends with 1 when one is not found."""
    if unknown := [name for name in names if name not in MUTANTS]:
        raise click.BadParameter(f"no such mutant: {', '.join(unknown)}")
    missed = 0
    for hunt in hunt_all(names or tuple(MUTANTS), range(first, first + seeds), jobs):
        missed += not hunt.fault
        if as_json:
            click.echo(json.dumps(asdict(hunt)))
        else:
            outcome = hunt.fault or "NOT FOUND"
            click.echo(f"{hunt.seeds:4} seeds {hunt.cpu_s:6.1f} s  {hunt.mutant}\n{'':18}{outcome[:160]}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
