"""`python -m tests.fuzz --inputs N --seed S [--target name]...`; `--replay FILE` feeds one that was kept."""

import argparse
import json
import logging
import resource
import sys
import time
from pathlib import Path

from tests.fuzz.runner import Finding, Report, Runner, highest_bytes, resident_bytes
from tests.fuzz.targets import targets

KEPT = Path("var/fuzz")
ADDRESS_SPACE_MAX = 6 * 1024**3  # what asks for more gets a MemoryError, and the machine stays usable
SHOWN = 8  # outcomes of each target in the report
SHOWN_CHARACTERS = 200
MIB = 1024 * 1024


def main() -> int:
    """Run, report, and say by the exit status whether anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each target")
    parser.add_argument("--target", action="append", default=[], help="one of several; without, all")
    parser.add_argument("--replay", type=Path, help="feed this file, as a run kept it")
    parser.add_argument("--keep", type=Path, default=KEPT, help="where inputs that broke a promise go")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_MAX, ADDRESS_SPACE_MAX))
    logging.getLogger().addHandler(logging.NullHandler())  # or what is refused would be written to the terminal
    return replay(options.replay) if options.replay else run(options)


def replay(file: Path) -> int:
    """Feed one input; 1 if it breaks a promise."""
    name, _, raw = file.read_bytes().partition(b"\n")
    finding = Runner(targets([name.decode()]), 0).replay(name.decode(), raw)
    sys.stdout.write("kept every promise\n" if finding is None else finding.why + "\n")
    return finding is not None


def run(options: argparse.Namespace) -> int:
    """Feed all targets; the last line is the report as one JSON object."""

    def found(finding: Finding) -> None:
        path = finding.save(options.keep, options.seed)
        sys.stdout.write(f"{path}: {finding.why.strip().splitlines()[-1][:SHOWN_CHARACTERS]}\n")
        sys.stdout.flush()

    runner = Runner(targets(options.target), options.seed, found=found)
    warm = max(1, min(options.inputs // 4, 20_000))
    memory: dict[str, int] = {"start": resident_bytes()}

    def progress(done: int) -> None:
        if done == warm:
            memory["warm"] = resident_bytes()
        if done % 20_000 == 0:
            sys.stderr.write(f"{done} inputs, {len(runner.report.findings)} findings, {resident_bytes() // MIB} MiB\n")

    started = time.perf_counter()
    report = runner.run(options.inputs, options.first, progress)
    seconds = time.perf_counter() - started
    sys.stdout.write(_table(report))
    memory["end"], memory["highest"] = resident_bytes(), highest_bytes()
    summary = {
        "inputs": sum(report.inputs.values()),
        "findings": len(report.findings),
        "seconds": round(seconds, 1),
        "per_second": round(sum(report.inputs.values()) / seconds),
        "mib": {name: size // MIB for name, size in memory.items()},
        "seed": options.seed,
    }
    sys.stdout.write(json.dumps(summary) + "\n")
    return bool(report.findings)


def _table(report: Report) -> str:
    lines = []
    for name, count in report.inputs.items():
        spent = 1000 * report.seconds[name] / count
        outcomes = ", ".join(f"{what} {many}" for what, many in report.outcomes[name].most_common(SHOWN))
        lines.append(f"{name:14} {count:8} {spent:7.2f} ms  {outcomes}\n")
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
