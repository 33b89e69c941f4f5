"""``make gpu``: one command that proves the GPU path, part by part, each in a process of its own with its own time.

What is left of one part's time goes to those after it, so that all together never take more than was allowed.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from playground.core.atomic import write_text
from playground.runs.submit import SETTINGS
from tests.benchmarks.gpu.report import REHEARSAL, Part, Report
from tests.benchmarks.gpu.rows import Row, failed

ROOT = Path(__file__).parents[3]
PACKAGE = "tests.benchmarks.gpu"  # where the parts are
CARD = "card"
PARTS = {"tests": 70, "training": 150, "start": 35, "decoding": 140, "proof": 40, "resume": 30}
"""What can be chosen, in order, and how the time is divided among those that are."""
CARD_SECONDS = 90  # the first import of PyTorch on a new machine reads gigabytes
MARGIN = 6  # seconds before it is stopped at which a part should begin nothing new
GRACE = 2  # seconds for the last rows of a part that has ended


def main(parts: list[str], budget: float, json_path: Path | None = None, rehearse: bool = False) -> int:
    """Runs the parts named (all without names).

    Returns:
        0 when every goal was met, 1 when one was missed or something failed, 2 when there is no GPU or no such part.
    """
    unknown = [name for name in parts if name not in PARTS]
    if unknown:
        print(f"There is no part {', '.join(unknown)}; there are: {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    chosen = [name for name in PARTS if name in (parts or PARTS)]
    report, home = Report(json_path, rehearse), tempfile.mkdtemp(prefix="playground-gpu-")
    os.environ["PLAYGROUND_HOME"] = home
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    try:
        return _all(chosen, report, budget, began)
    except KeyboardInterrupt:
        print(f"\nStopped after {time.monotonic() - began:.0f} s.\n\n{report.table()}", flush=True)
        return 130
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _interrupt(*_) -> None:
    raise KeyboardInterrupt


def _all(chosen: list[str], report: Report, budget: float, began: float) -> int:
    def ended() -> None:
        report.seconds = time.monotonic() - began
        report.save()

    if report.rehearsal:
        print(REHEARSAL, file=sys.stderr, flush=True)
    card = run_part(CARD, min(CARD_SECONDS, budget / 2), report, ended)
    if not report.rehearsal and report.machine.get("gpu") is not True:
        print(next((row.measured for row in card.rows), "The card cannot be asked."), file=sys.stderr)
        return 2
    for index, name in enumerate(chosen):
        left = budget - (time.monotonic() - began)
        share = PARTS[name] / sum(PARTS[later] for later in chosen[index:])
        run_part(name, left * share, report, ended)
    ended()
    print(f"\n{report.table()}", flush=True)
    if report.path:
        write_text(report.path.with_suffix(".md"), report.table() + "\n")
    return 0 if report.ended_well() else 1


def run_part(name: str, limit: float, report: Report, ended: Callable[[], None]) -> Part:
    """One part, stopped after ``limit`` seconds; its rows are told and saved as they come."""
    part, began = Part(name), time.monotonic()
    report.parts.append(part)
    print(f"... {name} (at most {limit:.0f} s)", file=sys.stderr, flush=True)

    def told(row: Row) -> None:
        part.rows.append(row)
        if name == CARD:
            report.machine |= row.figures
        if row.figures.get("gpu") is False and not report.rehearsal:
            return  # told as the end of all
        goal = f"  [{row.goal}: {'met' if row.met else 'MISSED'}]" if row.goal and row.met is not None else ""
        print(f"    {row.what}: {row.measured}{goal}", file=sys.stderr, flush=True)
        ended()

    with tempfile.TemporaryFile("w+", errors="replace") as log:
        status = _in_a_process(name, limit, report, told, log)
        log.seek(0)
        said = log.read().splitlines()
    part.seconds = round(time.monotonic() - began, 1)
    last = next((line.strip() for line in reversed(said) if line.strip()), "")
    if status is None:
        part.state = "stopped"
        told(failed(name, f"stopped after its {limit:.0f} s; rows that are missing were not reached"))
    elif status < 0:
        part.state = "failed"
        told(failed(name, f"ended by signal {-status}; {last}"))
    elif status and not any(row.state == "failed" for row in part.rows):
        part.state = "failed"
        told(failed(name, f"exit status {status}; {last}"))
    else:
        whole = [row.state for row in part.rows if row.what == name and row.state]
        part.state = whole[0] if whole else "done"
    if part.state not in ("done", "skipped") or any(row.state == "failed" for row in part.rows):
        part.log = "\n".join(said[-80:])
    ended()
    return part


def _in_a_process(name: str, limit: float, report: Report, told: Callable[[Row], None], log) -> int | None:
    """The exit status of a part; None when it was stopped."""
    about = {
        "device": "cpu" if report.rehearsal else "cuda",
        "rehearsal": report.rehearsal,
        "card": report.machine,
        "package": PACKAGE,
        "until": time.time() + limit - min(MARGIN, limit / 4),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.gpu.part", name, json.dumps(about)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
    )
    # Read in a thread, and not to the end: a process that the part left behind may hold the pipe for ever.
    reader = threading.Thread(target=_read, args=(process.stdout, told), daemon=True)
    reader.start()
    try:
        status = process.wait(max(1.0, limit))
    except subprocess.TimeoutExpired:
        status = None
    finally:
        _kill(process)
        _end_dispatcher()
    reader.join(GRACE)
    return status


def _read(lines, told: Callable[[Row], None]) -> None:
    for line in lines:
        try:
            told(Row(**json.loads(line)))
        except (ValueError, TypeError) as error:
            print(f"    (a row that cannot be read: {line.strip()[:100]}: {error})", file=sys.stderr, flush=True)


def _kill(process: subprocess.Popen) -> None:
    """The part and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end_dispatcher() -> None:
    """The warm process that trains outlives whoever started it; not here."""
    from playground.runs import submit

    submit.retire()


def environment() -> dict[str, str]:
    """This environment, in which a part finds this checkout first."""
    rest = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(ROOT)]
    return {**SETTINGS, **os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *rest]), "PYTHONUNBUFFERED": "1"}
