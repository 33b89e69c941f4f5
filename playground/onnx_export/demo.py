"""A page that runs a model in a browser. It contains the graphs and the tokenizer, and ONNX Runtime on demand."""

import base64
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from html import escape
from importlib import resources
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, cast

from playground.core.errors import PlaygroundError
from playground.core.paths import home
from playground.inference.engine import MANIFEST
from playground.text import pretrained_tokenizers
from playground.text.byte_alphabet import clean

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
LICENCES = ("LICENSE", "ThirdPartyNotices.txt")
SCRIPT, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
ADDRESS = f"https://cdn.jsdelivr.net/npm/{PACKAGE}/dist/"
CUT = {
    "Sequence",
    "Split",
    "ByteLevel",
    "Metaspace",
    "Prepend",
    "Replace",
    "NFC",
    "BertNormalizer",
    "BertPreTokenizer",
}  # steps of a tokenizer that the page's script takes
LARGEST = 200_000_000  # bytes of graphs: a browser opens no larger page
INSIDE = f"ONNX Runtime (npm: {PACKAGE}, MIT) is inside this page: it needs no network."
OUTSIDE = f"ONNX Runtime (npm: {PACKAGE}) is loaded by your browser from cdn.jsdelivr.net when you open it."


def write_demo(folder: Path, name: str, offline: bool = False) -> bool:
    """Writes ``demo.html`` beside the graphs of standard operators and the manifest, which names the first text of its box.

    Args:
        folder: of the export.
        name: of the run.
        offline: put ONNX Runtime inside too (19 MB), which is fetched from npm once.

    Returns:
        False where there is no page: the graphs are too large, or its script does not know the kind of tokenizer.

    Raises:
        PlaygroundError: when ONNX Runtime cannot be fetched, or its licence is missing.
    """
    paths = [path for stem in ("model", "encoder_model", "decoder_model") if (path := folder / f"{stem}.onnx").exists()]
    if sum(path.stat().st_size for path in paths) > LARGEST:
        return False
    runtime: dict[str, str] = {"address": ADDRESS}
    if offline:
        kept = fetched()
        runtime = {"script": _packed(kept / SCRIPT), "wasm": _packed(kept / WASM)}
    about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if not can_cut(tokenizer):
        return False
    page = resources.files("playground.onnx_export").joinpath("shipped", "demo.html").read_text(encoding="utf-8")
    values = {
        "NAME": escape(name),
        "RUNTIME_NOTE": INSIDE if offline else OUTSIDE,
        "LICENCE": licence() if offline else "",
        "ABOUT": in_script(about),
        "TOKENIZER": in_script(tokenizer),
        "GRAPHS": in_script({path.stem: _packed(path) for path in paths}),
        "RUNTIME": in_script(runtime),
    }
    # All at once: a value may hold what looks like the hole of another.
    page = re.sub(r"\{\{([A-Z_]+)\}\}", lambda hole: values[hole[1]], page)
    (folder / "demo.html").write_text(page, encoding="utf-8")
    return True


def licence() -> str:
    """The licence of ONNX Runtime and the notices of what is built into it, as HTML. They must be where ONNX Runtime is.

    The package for browsers has no copy, so the texts come from the package for Python, which are the same.

    Raises:
        PlaygroundError: when they are missing there.
    """
    package = Path(cast(str, cast(ModuleSpec, find_spec("onnxruntime")).origin)).parent
    try:
        texts = [(package / name).read_text(encoding="utf-8", errors="replace") for name in LICENCES]
    except OSError as error:
        raise PlaygroundError(
            "The licence of ONNX Runtime is missing from its package, so ONNX Runtime cannot be put into the page.",
            "Install onnxruntime again, or leave ONNX Runtime out of the page.",
        ) from error
    said = "".join(f"<pre>{escape(text)}</pre>" for text in texts)
    title = "Licence of ONNX Runtime, and notices of what is built into it"
    return f'<details class="small"><summary>{title}</summary>{said}</details>'


def can_cut(tokenizer: dict[str, Any]) -> bool:
    """Whether the page's script can tokenize as this ``tokenizer.json`` says; it knows the common kinds."""
    steps = {
        step for part in ("normalizer", "pre_tokenizer") for step in pretrained_tokenizers.types_of(tokenizer.get(part))
    }
    return tokenizer["model"]["type"] in ("BPE", "WordPiece") and steps <= CUT


def can_fetch() -> bool:
    """Whether ONNX Runtime for browsers is on this machine, or npm, which can fetch it."""
    return (_kept() / WASM).exists() or bool(shutil.which("npm"))


def fetched() -> Path:
    """The folder with ONNX Runtime for browsers, fetched from npm the first time.

    Raises:
        PlaygroundError: when npm is missing or finds no network.
    """
    target = _kept()
    if (target / WASM).exists() and (target / SCRIPT).exists():
        return target
    hint = "Install npm, or leave ONNX Runtime out of the page: a browser then loads it itself."
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        try:
            done = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=place, capture_output=True, timeout=300)
            archives = list(Path(place).glob("*.tgz"))
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PlaygroundError("{package} cannot be fetched from npm.", hint, package=PACKAGE) from error
        if done.returncode or not archives:
            raise PlaygroundError("{package} cannot be fetched from npm.", hint, package=PACKAGE)
        made = Path(place) / "made"
        made.mkdir()
        with tarfile.open(archives[0]) as archive:
            for name in (SCRIPT, WASM):
                (made / name).write_bytes(cast(IO[bytes], archive.extractfile(f"package/dist/{name}")).read())
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    return target


def _kept() -> Path:
    return home() / "onnxruntime-web" / VERSION


def _packed(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def in_script(value: object) -> str:
    """JSON that is safe inside a ``<script>``: nothing in it can end the script, begin a comment or another script, or end a line."""
    text = clean(json.dumps(value, ensure_ascii=False)).replace("<", "\\u003c")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
