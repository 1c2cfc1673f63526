"""Simulate storms: `python -m tests.simulation --seeds 1000`, or one of them again: `--seed 17 --log info`."""

import json
import logging
import os
import sys
import time

import click

from tests.simulation.plan import Plan
from tests.simulation.report import SMALLEST_COMPLETE, Report, many
from tests.simulation.storm import Run, weather
from tests.simulation.transcript import log_to


@click.command(help=__doc__)
@click.option("--seeds", default=SMALLEST_COMPLETE, show_default=True, help="How many runs.")
@click.option("--first", default=0, show_default=True, help="The seed of the first.")
@click.option("--seed", type=int, help="This one only.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="How many at a time.")
@click.option("--log", type=click.Choice(["debug", "info", "warning"]), help="With --seed: what the nodes log.")
def main(seeds: int, first: int, seed: int | None, jobs: int, log: str | None) -> None:
    """The command. Ends with 1 when a run fails, or when what there is to meet was never met."""
    logging.disable()
    if seed is not None:
        if log is not None:
            log_to(sys.stderr, log)
        click.echo(str(Plan.of(seed)))
        run = weather(seed)
        click.echo(run.digest)
        _show(run)
        sys.exit(1 if run.faults else 0)
    report, began = Report(), time.monotonic()
    with click.progressbar(many(range(first, first + seeds), jobs), length=seeds, file=sys.stderr) as runs:
        for run in runs:
            report.add(run)
            if run.faults:
                click.echo(f"\n{run.plan}", err=True)
                _show(run)
    never = report.never_met() if seeds >= SMALLEST_COMPLETE else []
    for name in sorted(report.met):
        click.echo(f"{report.met[name]:8} {name}")
    for name in never:
        click.echo(f"never met: {name}", err=True)
    summary = {
        "runs": report.runs,
        "failed": report.failed,
        "never_met": len(never),
        "operations": report.operations,
        "acknowledged": report.acknowledged,
        "committed": report.committed,
        "hours_simulated": round(report.virtual_s / 3600, 2),
        "seconds": round(time.monotonic() - began),
        "first": first,
    }
    click.echo(json.dumps(summary))
    sys.exit(1 if report.failed or never else 0)


def _show(run: Run) -> None:
    for fault in run.faults[:20]:
        click.echo(f"  {fault}", err=True)
    if run.faults:
        click.echo(f"  again: python -m tests.simulation --seed {run.plan.seed} --log info", err=True)


if __name__ == "__main__":
    main()
