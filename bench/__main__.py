"""`python -m bench`: a load on a network of its own, and what came of it as JSON on the last line."""

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import get_args

import click
import uvloop

from bench import beside, overload, summary
from bench.display import Display
from bench.load import Load
from bench.measuring import Figures, measure
from bench.networks import Shape
from bench.profiling import report
from bench.profiling.sampling import CannotSample, Sampler
from bench.workloads import WORKLOADS
from deploy.ordering import Wish, with_ordering
from privysharing.sdk import Transport
from services.runtime.process import settle_memory

OVERLOAD = "overload"
PROFILED_SECONDS_MIN = 5.0  # in which all processes are looked at, one after the other


@click.command()
@click.option("--workload", type=click.Choice([*WORKLOADS, OVERLOAD]), default="yardstick", show_default=True)
@click.option(
    "--in-flight",
    default=600,
    type=click.IntRange(min=1),
    show_default=True,
    help="Callers that each wait for their answer.",
)
@click.option("--duration", default=20.0, type=float, show_default=True, help="Seconds of load.")
@click.option("--warm-up", default=2.0, type=float, show_default=True, help="Seconds of load that do not count.")
@click.option(
    "--rate",
    type=float,
    help="Calls a second, whatever the answers do, instead of --in-flight.",
)
@click.option(
    "--transport",
    type=click.Choice(get_args(Transport)),
    default="batch",
    show_default=True,
    help="Many calls on a stream, or Fabric's own calls.",
)
@click.option("--runs", default=1, type=click.IntRange(min=1), show_default=True, help="Of which medians are given.")
@click.option(
    "--profile", type=click.Path(file_okay=False, path_type=Path), help="Say where the time goes; details go here."
)
@click.option("--orderers", default=1, type=click.IntRange(1, 4), show_default=True, help="On Kafka: one or more.")
@with_ordering
def main(
    workload: str,
    in_flight: int,
    duration: float,
    warm_up: float,
    rate: float | None,
    transport: Transport,
    runs: int,
    profile: Path | None,
    orderers: int,
    ordering: Wish,
) -> None:
    """Measure networks of processes on this machine, this client included: a new one for each run."""
    if orderers > 1 and not ordering.through_kafka:
        raise click.UsageError("several orderers share a log: --ordering kafka")
    if workload == OVERLOAD and (rate is not None or profile is not None):
        raise click.UsageError("the overload is one of calls in flight, and is not profiled: without --rate, --profile")
    if profile is not None and (runs > 1 or duration < PROFILED_SECONDS_MIN):
        raise click.UsageError(f"a profile is one of a single run of {PROFILED_SECONDS_MIN:g} s or more")
    try:
        load = Load(duration, in_flight, rate, warm_up)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # the network has to be cleared away
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")  # py-spy is started, and gRPC would remark on each
    settle_memory()
    shape = Shape(ordering, orderers)
    display = Display()
    sampler = Sampler(profile) if profile is not None else None
    try:
        results = [uvloop.run(_one(workload, load, transport, shape, display, sampler)) for _ in range(runs)]
    except* CannotSample as errors:
        raise click.ClickException(str(errors.exceptions[0])) from None
    if sampler is not None:
        print(report.written(sampler, results[-1]["cpu_us_per_tx"]))
    print(json.dumps({"workload": workload, **summary.of(results)}))


async def _one(
    workload: str, load: Load, transport: Transport, shape: Shape, display: Display, sampler: Sampler | None
) -> Figures:
    if workload == OVERLOAD:
        return await overload.measure(load, transport, shape, display)
    if WORKLOADS[workload].beside and sampler is None:
        return await beside.measure(workload, load, transport, shape, display)
    return await measure(WORKLOADS[workload], load, transport, shape, display, sampler)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
