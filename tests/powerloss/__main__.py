"""`python -m tests.powerloss --cuts N`: cuts every store's power; what came of it is JSON on the last line."""

import json
import logging
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.powerloss.running import SCRATCH, STORES, run

EXIT_BROKEN = 1


@click.command()
@click.option("--cuts", default=3000, type=click.IntRange(min=1), show_default=True, help="Power cuts for each store.")
@click.option("--seed", type=int, help="Which cuts.  [default: drawn at random]")
def main(cuts: int, seed: int | None) -> None:
    """Cut the power of every store, and look for all that was acknowledged."""
    seed = secrets.randbelow(2**32) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="privy-powerloss-", dir=SCRATCH))
    logging.getLogger("services").setLevel(logging.ERROR)  # of damage there is more than anybody can read
    tried = wrong = 0
    for name in STORES:
        for outcome in run(name, folder / name.replace(" ", "-"), cuts, seed):
            tried += 1
            if outcome.wrong is not None:
                wrong += 1
                click.echo(f"{name}: {outcome}", err=True)
    if wrong:
        click.echo(f"what was left is in {folder}, in folders named wrong", err=True)
    else:
        shutil.rmtree(folder)
    click.echo(json.dumps({"cuts": tried, "wrong": wrong, "seed": seed}))
    sys.exit(EXIT_BROKEN if wrong else 0)


if __name__ == "__main__":
    main()
