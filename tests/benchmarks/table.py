"""``make bench``: every figure measured now, on this machine, printed as one table.

What is compared is measured side by side in the same run, alternating, so that a busy machine slows both alike.
"""

import os
import platform
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

ROWS = {
    "recipe": "tests.benchmarks.recipe",
    "stories": "tests.benchmarks.stories",
    "throughput": "tests.benchmarks.throughput",
    "memory": "tests.benchmarks.memory",
    "watching": "tests.benchmarks.watching",
    "start": "tests.benchmarks.start",
    "browser": "tests.benchmarks.browser",
    "stage": "tests.benchmarks.stage",
    "explore": "tests.benchmarks.explore",
    "curves": "tests.benchmarks.curves",
    "decoding": "tests.benchmarks.decoding",
}


def main(wanted: list[str]) -> int:
    """Runs the benchmarks named (all without names); 0 when every goal was met, 1 otherwise."""
    unknown = [name for name in wanted if name not in ROWS]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}; there are: {', '.join(ROWS)}.", file=sys.stderr)
        return 2
    home = tempfile.mkdtemp(prefix="playground-bench-")
    os.environ["PLAYGROUND_HOME"] = home
    results = []
    began = time.monotonic()
    try:
        for name in wanted or ROWS:
            print(f"... {name}", file=sys.stderr, flush=True)
            # In a process of its own, so that nothing of the one before is left.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                rows = alone.submit(_measure, name).result()
            for what, measured, *_ in rows:
                print(f"    {what}: {measured}", file=sys.stderr, flush=True)
            results += rows
    finally:
        shutil.rmtree(home, ignore_errors=True)
    _print(results, time.monotonic() - began)
    return 0 if all(met is not False for *_, met in results) else 1


def _measure(name: str) -> list[tuple]:
    try:
        return import_module(ROWS[name]).measure()
    finally:
        _end_dispatcher()


def _end_dispatcher() -> None:
    from playground.runs import submit

    submit.retire()


def _print(results: list[tuple], seconds: float) -> None:
    """``(what, measured, goal, met)`` as a Markdown table."""
    import torch

    print(
        f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, torch {torch.__version__}; {seconds:.0f} s in all\n"
    )
    print("| what | measured | goal | |\n|---|---|---|---|")
    for what, measured, goal, met in results:
        mark = {True: "met", False: "MISSED", None: ""}[met]
        print(f"| {what} | {measured} | {goal} | {mark} |")
