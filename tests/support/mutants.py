"""A good packed run, changed in the ways of damage and of malice; and a process that opens many quickly, each in a child."""

import copy
import io
import json
import os
import struct
import subprocess
import sys
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

HOSTILE: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    1,
    2**31,
    2**63,
    10**400,
    -(10**400),
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x" * 10_000,
    "decoder",
    "lstm",
    "clm",
    "mlm",
    "file",
    "hf:nobody/nothing",
    "../../../etc/passwd",
    "/etc/passwd",
    "~root/x",
    "\0",
    "\u202e",
    "\ud800",
    "{{ABOUT}}",
    "{question}",
    "<script>alert(1)</script>",
    "![](http://a.example/x.png)",
    "a\nb",
    [],
    {},
    [[]],
    [1, 2],
    ["a"] * 1000,
    {"a": {"b": {}}},
    {"run": "latest", "step": 0},
    {"run": "../..", "step": -1},
]
"""What a value of a JSON file is replaced by."""

Files = dict[str, bytes]


@dataclass(frozen=True)
class Mutation:
    """One change: which file (by its place in the list), how, where (0 to 1), and with what."""

    file: int
    how: str
    where: float
    what: int
    size: int


HOWS = (
    "json",
    "json",
    "json",
    "json",
    "drop",
    "flip",
    "flip",
    "cut",
    "zeros",
    "blanks",
    "gone",
    "swap",
    "line",
    "header",
    "length",
    "name",
    "again",
)
mutations = st.lists(
    st.builds(
        Mutation,
        st.integers(0, 50),
        st.sampled_from(HOWS),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, len(HOSTILE) - 1),
        st.integers(1, 64),
    ),
    min_size=1,
    max_size=3,
)
NAMES = (
    "../evil.json",
    "/etc/evil.json",
    "evil.py",
    "x" * 400,
    "checkpoint/step-1/a.json",
    "export/model.onnx",
    "C:evil",
    "status.json",
)


def files_of(path: Path) -> Files:
    with zipfile.ZipFile(path) as packed:
        return {info.filename: packed.read(info) for info in packed.infolist()}


def mutated(files: Files, changes: list[Mutation]) -> bytes:
    """The zip file after the changes; the last may hit the bytes of the zip file itself."""
    files, extra = dict(files), []
    for change in changes:
        names = sorted(files, key=lambda name: (name.endswith(".jsonl"), name))
        name = names[change.file % len(names)]
        if change.how == "gone":
            files.pop(name)
        elif change.how == "swap":
            files[name] = files[names[change.size % len(names)]]
        elif change.how == "name":
            files[NAMES[change.what % len(NAMES)]] = files.pop(name)
        elif change.how == "again":
            extra.append((name, files[name]))
        else:
            files[name] = _changed(name, files[name], change)
        if not files:
            break
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in [*files.items(), *extra]:
            packed.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    data = bytearray(made.getvalue())
    if changes[-1].how == "flip" and changes[-1].size > 56:
        data[int(changes[-1].where * len(data))] ^= changes[-1].size
    return bytes(data)


def _changed(name: str, data: bytes, change: Mutation) -> bytes:
    place = int(change.where * len(data))
    if change.how == "cut":
        return data[:place]
    if change.how == "zeros":
        return data[:place] + bytes(len(data) - place)
    if change.how == "blanks":
        return data[:place] + b" " * (change.size * 100_000) + data[place:]
    if change.how == "flip" and data:
        return (
            data[:place]
            + bytes(byte ^ change.size for byte in data[place : place + change.size])
            + data[place + change.size :]
        )
    if name.endswith(".safetensors") and change.how in ("json", "drop", "header", "length") and len(data) > 8:
        return _header(data, change)
    if name.endswith((".json", ".jsonl")) and change.how in ("json", "drop", "line"):
        return _json(name, data, change)
    return data


def _header(data: bytes, change: Mutation) -> bytes:
    (length,) = struct.unpack("<Q", data[:8])
    if change.how == "length":
        return struct.pack("<Q", [0, 1, length + change.size, 2**40, 2**63][change.what % 5]) + data[8:]
    try:
        header = json.dumps(_replaced(json.loads(data[8 : 8 + length]), change)).encode()
    except ValueError:
        return data
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def _json(name: str, data: bytes, change: Mutation) -> bytes:
    try:
        if name.endswith(".jsonl"):
            lines = data.splitlines()
            number = int(change.where * len(lines))
            lines[number] = _dumped(_replaced(json.loads(lines[number]), change))
            return b"\n".join(lines) + b"\n"
        return _dumped(_replaced(json.loads(data), change))
    except (ValueError, IndexError):
        return data


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()  # NaN, Infinity and lone surrogates as Python writes them


def _replaced(value: Any, change: Mutation) -> Any:
    """The JSON value with one of its parts replaced or dropped; short paths are as likely as long ones."""
    value = copy.deepcopy(value)
    parts = list(_parts(value))
    if not parts:
        return HOSTILE[change.what]
    shallow = [part for part in parts if part[2] < 3] or parts
    holder, key, _ = shallow[int(change.where * len(shallow))]
    if change.how == "drop":
        del holder[key]
    elif change.size % 16 == 0:
        deep: Any = []
        for _ in range(3000):
            deep = [deep]
        holder[key] = "deep"
    else:
        holder[key] = HOSTILE[change.what]
    return value


def _parts(value: Any, depth: int = 0):
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries)[:200]:
        yield value, key, depth
        if depth < 4:
            yield from _parts(inner, depth + 1)


class Doorkeeper:
    """The gate with what its children import loaded already, so that each of them is a fork: 0.1 s instead of 3."""

    def __init__(self, home: Path) -> None:
        from playground.core import limited_process

        here = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**limited_process.environment(), "PLAYGROUND_HOME": str(home), "PYTHONPATH": here},
        )

    def opened(self, path: Path, work: Path) -> dict[str, Any]:
        """As `called`, of a file that is opened as one from elsewhere."""
        return self.called("playground.finetune.sandboxed_import:_open", str(path), str(work), None, None)

    def called(self, target: str, *args: Any) -> dict[str, Any]:
        """What a child tells of a call, with ``seconds``, ``memory`` (the most it held, bytes) and the ``status`` of its exit."""
        order = {"target": target, "args": args, "home": os.environ["PLAYGROUND_HOME"]}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Forks a child for each order on standard input."""
    import gc
    import time

    import torch

    import playground.huggingface.import_run
    import playground.training.load_model  # noqa: F401
    from playground.core import limited_process

    torch.set_num_threads(1)
    gc.freeze()  # what is not touched is not copied
    for line in sys.stdin:
        began, (reader, writer) = time.monotonic(), os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            limited_process._out = os.fdopen(writer, "wb")
            limited_process.limit(limited_process.MEMORY, limited_process.SECONDS)
            order = json.loads(line)
            os.environ["PLAYGROUND_HOME"] = order["home"]
            limited_process.serve(order)
            limited_process._out.flush()
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as said:
            lines = said.read().splitlines()
        _, status, used = os.wait4(child, 0)
        told = json.loads(lines[-1]) if lines else {}
        told |= {"seconds": time.monotonic() - began, "memory": used.ru_maxrss * 1024, "status": status}
        print(json.dumps(told), flush=True)


def forking(keeper: Doorkeeper) -> type:
    """A `LimitedProcess` for `playground.core.limited_process` that is done at once, by a child of the doorkeeper's."""
    from playground.core import limited_process

    class Forked(limited_process.LimitedProcess):
        def __init__(self, target: str, *args: Any, what: str, memory: int, seconds: float) -> None:
            self.what, self.memory, self.seconds, self.stage, self.stopped = what, memory, seconds, "", False
            self.error, self._too_much = None, ""
            self._last = keeper.called(target, *args)
            self._process = SimpleNamespace(returncode=-(self._last["status"] & 127), kill=lambda: None)
            self._ended = threading.Event()
            self._ended.set()
            if "result" not in self._last:
                self.error = self._why()

    return Forked


if __name__ == "__main__":
    main()
