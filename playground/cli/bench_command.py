"""``python -m playground bench``: the benchmarks of a checkout (they live with the tests, not in the package)."""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from playground.core.errors import PlaygroundError, plain
from playground.core.paths import GUARDED

BUDGET = 480  # seconds for all of `bench gpu`


def add(commands) -> None:
    parser = commands.add_parser(
        "bench",
        help="run the benchmarks on this machine and print a table",
        description="Measures this machine. 'bench gpu' proves the path on an NVIDIA GPU: tests, training, start, "
        "decoding, exports, resuming. 'bench gallery' makes the shipped models again from their recipes and compares the "
        "losses; names of models after it choose some of them.",
    )
    parser.add_argument(
        "rows",
        nargs="*",
        help="which benchmarks (default: all but gpu and gallery), or gpu alone, or gallery and names of models",
    )
    gpu = parser.add_argument_group("bench gpu")
    gpu.add_argument("--parts", help="which of tests,training,start,decoding,proof,resume (default: all)")
    gpu.add_argument(
        "--budget",
        type=float,
        default=BUDGET,
        metavar="SECONDS",
        help="time limit of all parts together (default: %(default)s)",
    )
    gpu.add_argument("--json", type=Path, metavar="FILE", help="write every row here as soon as it is measured")
    gpu.add_argument(
        "--rehearse", action="store_true", help="run a tiny version of every part on the CPU, to show that it works"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    root = Path(__file__).parents[2]
    sys.path.insert(0, str(root))
    if not (root / "tests" / "benchmarks").is_dir() or importlib.util.find_spec("tests.benchmarks.table") is None:
        raise PlaygroundError("The benchmarks are not here.", "Run this in a checkout of the project (make bench).")
    os.environ.pop(GUARDED, None)  # the owner's own programs: they read texts that they make
    if "gpu" in options.rows:
        return _gpu(options)
    if options.parts is not None or options.json or options.rehearse or options.budget != BUDGET:
        raise PlaygroundError(
            "--parts, --budget, --json and --rehearse belong to one benchmark.", "Write: bench gpu ..."
        )
    if options.rows[:1] == ["gallery"]:
        from tests.benchmarks.gallery import main as make_again

        return make_again(options.rows[1:])
    from tests.benchmarks.table import main

    return main(options.rows)


def _gpu(options: argparse.Namespace) -> int:
    if options.rows != ["gpu"]:
        raise PlaygroundError("The benchmark gpu runs alone.", "Leave the others out, or run them on their own.")
    if not options.budget >= 1:
        raise PlaygroundError(f"A budget of {plain(options.budget)} s is too little.", f"The usual budget is {BUDGET}.")
    from tests.benchmarks.gpu.bench import PARTS, main

    parts = [name.strip() for name in (options.parts or "").split(",") if name.strip()]
    if options.parts is not None and not parts:
        raise PlaygroundError("--parts names no part.", f"There are {', '.join(PARTS)}; without --parts, all run.")
    return main(parts, options.budget, options.json and _can_be_kept(options.json.absolute()), options.rehearse)


def _can_be_kept(path: Path) -> Path:
    """The file for the rows; asked before minutes are measured that could not be kept."""
    if not path.parent.is_dir():
        raise PlaygroundError(f"There is no folder {path.parent}.", "Make it first, or name another file.")
    for file in (path, path.parent / f"{path.stem}.md"):
        if file.is_dir():
            raise PlaygroundError(f"{file} is a folder.", "Name another file.")
    if path.suffix == ".md":
        raise PlaygroundError(f"{path.name} is what the table is written to.", "Name a file that ends in .json.")
    if not os.access(path.parent, os.W_OK):
        raise PlaygroundError(f"Nothing can be written to {path.parent}.", "Name a file in another folder.")
    return path
