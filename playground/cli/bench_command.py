"""``python -m playground bench``: the benchmarks of a checkout (they live with the tests, not in the package)."""

import argparse
import importlib.util
import sys
from pathlib import Path

from playground.errors import PlaygroundError

BUDGET = 480  # seconds for all of `bench gpu`


def add(commands) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure this machine: a table, all rows in one run",
        description="Measures this machine. 'bench gpu' proves the path on an NVIDIA GPU: tests, training, start, "
        "decoding, exports, resuming.",
    )
    parser.add_argument("rows", nargs="*", help="which benchmarks (default: all but gpu), or gpu alone")
    gpu = parser.add_argument_group("bench gpu")
    gpu.add_argument("--parts", default="", help="which of tests,training,start,decoding,proof,resume (default: all)")
    gpu.add_argument("--budget", type=float, default=BUDGET, metavar="SECONDS", help="for all together (default: %(default)s)")
    gpu.add_argument("--json", type=Path, metavar="FILE", help="keep every row here as soon as it is there")
    gpu.add_argument("--rehearse", action="store_true", help="every part on the CPU, tiny: shows that all of it runs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    root = Path(__file__).parents[2]
    sys.path.insert(0, str(root))
    if not (root / "tests" / "benchmarks").is_dir() or importlib.util.find_spec("tests.benchmarks.table") is None:
        raise PlaygroundError(
            "The benchmarks are not here.", "Run this in a checkout of the project (make bench)."
        )
    if "gpu" in options.rows:
        return _gpu(options)
    if options.parts or options.json or options.rehearse or options.budget != BUDGET:
        raise PlaygroundError("--parts, --budget, --json and --rehearse belong to one benchmark.", "Write: bench gpu ...")
    from tests.benchmarks.table import main

    return main(options.rows)


def _gpu(options: argparse.Namespace) -> int:
    if options.rows != ["gpu"]:
        raise PlaygroundError("The benchmark gpu runs alone.", "Leave the others out, or run them on their own.")
    if not options.budget >= 1:
        raise PlaygroundError(f"{options.budget:g} seconds are too few.", f"The usual budget is {BUDGET}.")
    if options.json and not options.json.absolute().parent.is_dir():
        raise PlaygroundError(f"There is no folder {options.json.parent}.", "Make it first, or name another file.")
    from tests.benchmarks.gpu.bench import main

    parts = [name.strip() for name in options.parts.split(",") if name.strip()]
    return main(parts, options.budget, options.json and options.json.absolute(), options.rehearse)
