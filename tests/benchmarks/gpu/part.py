"""One part in a process of its own: its rows go out one by one, as lines of JSON, the moment they are there.

python -m tests.benchmarks.gpu.part NAME '{"device": "cuda", "rehearsal": false, "until": ..., "card": {}, "package": ...}'
"""

import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module

from tests.benchmarks.gpu.rows import Row, Setting, failed, missing, skipped


def main(name: str, told: dict) -> int:
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no row
    deadline = time.monotonic() + told["until"] - time.time()
    setting = Setting(told["device"], told["rehearsal"], deadline, told["card"])
    ended = 0
    for row in rows(name, told["package"], setting):
        lines.write(json.dumps(asdict(row), default=str) + "\n")
        lines.flush()
        ended = 1 if row.what == name and row.state == "failed" else ended
    return ended


def rows(name: str, package: str, setting: Setting) -> Iterator[Row]:
    """Those of the part; one that says why where it cannot run at all."""
    try:
        lacking = [needed for needed in needs(name) if importlib.util.find_spec(needed) is None]
        if lacking:
            raise ModuleNotFoundError(name=lacking[0])
        yield from import_module(f"{package}.{name}").measure(setting)
    except ModuleNotFoundError as error:
        traceback.print_exc()
        lacked = missing(error)
        yield skipped(name, f"{lacked} is not installed") if lacked else failed(name, error)
    except Exception as error:
        traceback.print_exc()
        yield failed(name, error)


def needs(name: str) -> tuple[str, ...]:
    """The packages that a part cannot do without; known before its module, which imports them, is loaded."""
    training = ("torch", "numpy", "tokenizers", "safetensors", "psutil")
    exporting = (*training, "onnx", "onnxruntime")
    return {
        "card": ("torch",),
        "tests": ("torch", "pytest"),
        "training": training,
        "start": training,
        "resume": training,
        "decoding": exporting,
        "proof": exporting,
    }.get(name, ())


if __name__ == "__main__":
    status = main(sys.argv[1], json.loads(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # all rows are out: nothing that a library does at its end can take them back
