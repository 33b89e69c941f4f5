"""``python -m playground bench``: the benchmarks of a checkout (they live with the tests, not in the package)."""

import argparse
import importlib.util
import sys
from pathlib import Path

from playground.errors import PlaygroundError


def add(commands) -> None:
    parser = commands.add_parser("bench", help="measure this machine: a table, all rows in one run")
    parser.add_argument("rows", nargs="*", help="which benchmarks (default: all)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    root = Path(__file__).parents[2]
    sys.path.insert(0, str(root))
    if importlib.util.find_spec("tests.benchmarks.table") is None:
        raise PlaygroundError(
            "The benchmarks are not here.", "Run this in a checkout of the project (make bench)."
        )
    from tests.benchmarks.table import main

    return main(options.rows)
