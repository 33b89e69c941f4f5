"""A Hugging Face folder as a finished run to start from: config.json, its tokenizer and safetensors, never pickle.

What comes from somebody else is opened in a child process instead: `playground.finetune.sandboxed_import`.
"""

import json
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.parameter_counts import parameter_counts
from models.spec import ModelSpec
from playground.core.atomic import disk_errors, is_damaged_zip, write_json, write_text
from playground.core.errors import PlaygroundError
from playground.huggingface import families
from playground.huggingface.own_export import Returned, answers, found_by, returned
from playground.huggingface.own_export import weights as known_weights
from playground.inference.export_manifest import MANIFEST
from playground.runs import archive
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.runs.throughput import check_room
from playground.text import legacy_tokenizers, pretrained_tokenizers
from playground.text.catalogue import UNKNOWN
from playground.text.spec import BASE_SIZE, LARGEST_VOCABULARY, DataSpec, TokenizerSpec
from playground.text.tokenizers import Tokenizer
from playground.training.checkpoint_io import MODEL
from playground.training.load_model import LABELS

CONFIG, TOKENIZER, INDEX = "config.json", "tokenizer.json", "model.safetensors.index.json"
NAMES = ("tokenizer_config.json", "special_tokens_map.json", "generation_config.json")
_FILES = (CONFIG, TOKENIZER, INDEX, MANIFEST, *NAMES, *legacy_tokenizers.FILES)
_READ = re.compile(rf"({'|'.join(map(re.escape, _FILES))}|[A-Za-z0-9_.-]+\.safetensors)")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_OTHERS = (".h5", ".msgpack", ".gguf", ".onnx")
_FLOATS = ("F64", "F32", "F16", "BF16")


def import_folder(
    path: Path, store: RunStore | None = None, name: str | None = None, context: int | None = None
) -> RunFolder:
    """Makes a run of a folder as transformers writes it.

    Args:
        path: of the folder, or of a zip file of it.
        store: where the run goes; the person's own unless told.
        name: of the run; None: its own where the playground exported it, else the folder's.
        context: tokens that the model reads at once; None: as many as it can, at most 2048 with rotary positions.

    Returns:
        The run, finished, with the weights as the checkpoint of step 0. Its ``run.json`` says where they came from, and
        in ``notes`` what differs from the original. An export of the playground comes back as the run it was of, at its step:
        what it was asked, with its labels.

    Raises:
        PlaygroundError, SpecError: when something is missing, damaged, or computes what models here do not.
    """
    path = Path(path)
    if path.is_file():
        return import_zip(path, store, name, context)
    if not path.is_dir():
        raise PlaygroundError("There is no folder {path}.", path=path)
    folder = _snapshot(path)
    return _import(folder, store or RunStore(), name, _name_of(folder), context)


def import_zip(
    source: Path | BinaryIO,
    store: RunStore | None = None,
    name: str | None = None,
    context: int | None = None,
    limit: int = archive.LIMIT,
) -> RunFolder:
    """The same for a zip file, which may come from anybody; one of a packed run is unpacked as such.

    Args:
        source: the file, or its path.
        store, name, context: as in `import_folder`; the name is that of the file.
        limit: bytes that what is read may have when unpacked.

    Raises:
        PlaygroundError, SpecError: also when the file is damaged or not to be trusted.
    """
    store = store or RunStore()
    called = Path(str(source if isinstance(source, str | Path) else getattr(source, "name", "") or "model")).stem
    temporary = Path(tempfile.mkdtemp(dir=store.root, prefix=".import-"))
    folder = temporary / (re.sub(r"[^\w.-]", "_", called).strip(".") or "model")
    try:
        folder.mkdir()
        with disk_errors("unpacking the model"), _zip_errors(source), zipfile.ZipFile(source) as packed:
            files = _wanted(packed, limit)
            if files is not None:
                archive.extract(packed, files, folder)
        if files is None:
            if not isinstance(source, str | Path):
                source.seek(0)
            return archive.unpack(source, store.root)
        return _import(folder, store, name, called, context)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _zip_errors(source: Path | BinaryIO) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError) as error:
        raise PlaygroundError("There is no file {source}.", source=source) from error
    except Exception as error:
        if not is_damaged_zip(error):
            raise
        raise PlaygroundError(
            "This is not a whole zip file.", "Pack the folder again ({error}).", error=error
        ) from error


def _wanted(packed: zipfile.ZipFile, limit: int) -> dict[str, zipfile.ZipInfo] | None:
    """The files to read, by their names in the folder; None for a packed run."""
    entries = [info for info in packed.infolist() if not info.is_dir() and not archive.IGNORED.fullmatch(info.filename)]
    if len(entries) > archive.MOST_FILES:
        raise PlaygroundError("This file was not opened: it holds {n_entries:,} files.", _PACK, n_entries=len(entries))
    for info in entries:
        try:
            archive.check_entry(info)
        except PlaygroundError as error:
            raise PlaygroundError(error.message, _PACK) from error
    if archive.holds_run(info.filename for info in entries):
        return None
    places = [info.filename.removesuffix(CONFIG) for info in entries if f"/{info.filename}".endswith(f"/{CONFIG}")]
    if not places:
        raise PlaygroundError("There is no config.json in this zip file.", _PACK)
    place = min(places, key=lambda folder: (folder.count("/"), folder))
    files = {info.filename.removeprefix(place): info for info in entries if info.filename.startswith(place)}
    weights = [file for file in files if file.endswith(_PICKLED)]
    files = {file: info for file, info in files.items() if _READ.fullmatch(file)}
    if weights and not any(file.endswith(".safetensors") for file in files):
        raise _pickled(weights[0])
    total = sum(info.file_size for info in files.values())
    if total > limit:
        raise PlaygroundError("This file was not opened: it unpacks to {total:.2f} GiB.", _PACK, total=total / 2**30)
    return files


_PACK = "Pack a folder with config.json, model.safetensors and the files of the tokenizer."


def _snapshot(path: Path) -> Path:
    """The newest snapshot of a folder in Hugging Face's cache; any other folder itself."""
    kept = [each for each in (path / "snapshots").glob("*") if (each / CONFIG).is_file()]
    return max(kept, key=lambda each: each.stat().st_mtime) if kept and not (path / CONFIG).exists() else path


def _name_of(folder: Path) -> str:
    folder = folder.absolute()
    cached = folder.parent.parent.name if folder.parent.name == "snapshots" else ""
    return cached.rpartition("--")[2] or folder.name or "model"


def _import(folder: Path, store: RunStore, name: str | None, called: str, context: int | None) -> RunFolder:
    config = _config(folder)
    known = returned(folder, config, context)
    found = found_by(known, config) if known else families.found_in(config, context)
    check_room(sum(parameter_counts(found.spec).values()))
    tokenizer = _tokenizer(folder, config, found.spec, found.family)
    _check_room(found.spec, tokenizer)
    with ExitStack() as opened:
        weights = _Weights(folder, found, opened)
        found = found if known else families.with_what_is_there(found, weights.left)
        tensors = known_weights(known, found, weights.take) if known else families.renamed(found, weights.take)
        families.check_left(weights.left, found)
    if known is not None:
        return _settle_known(store, known, name or known.config.name, found, tokenizer, tensors)
    return _settle(store, name or called, found, tokenizer, tensors, answers(folder))


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / CONFIG).is_file():
        if (folder / "run.json").is_file():
            raise PlaygroundError(
                "{name} is a run of LM Playground.",
                "Pack it (python -m playground runs pack) and unpack it here.",
                name=folder.name,
            )
        if (folder / "adapter_config.json").is_file():
            raise PlaygroundError(
                "{name} holds an adapter alone, not the model that it belongs to.",
                "Merge it (merge_and_unload in peft), save the whole model, and bring that.",
                name=folder.name,
            )
        raise PlaygroundError(
            "There is no config.json in {name}.",
            "Give the folder that save_pretrained wrote, or that was downloaded from Hugging Face.",
            name=folder.name,
        )
    return _json(folder / CONFIG)


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > archive.SMALL:
            raise PlaygroundError("The file {name} is too large.", _DAMAGED, name=path.name)
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise PlaygroundError("The file {name} cannot be read.", _DAMAGED, name=path.name) from error
    if not isinstance(value, dict):
        raise PlaygroundError("The file {name} cannot be read.", _DAMAGED, name=path.name)
    return value


_DAMAGED = "Download or copy it again."


def _check_room(spec: ModelSpec, tokenizer: Tokenizer) -> None:
    """A text stands within the frame, and at least one token of it has to."""
    frame = sum(map(len, tokenizer.frame))
    if spec.context_length <= frame:
        raise PlaygroundError(
            "A context of {context_length} leaves no room for a text.",
            "Choose {frame} or more: around each text stand [CLS] and [SEP], or what this model has in their place.",
            context_length=spec.context_length,
            frame=frame + 1,
        )


def _tokenizer(folder: Path, config: dict[str, Any], spec: ModelSpec, family: str) -> Tokenizer:
    """The folder's tokenizer: one of the playground's own as it is, any other marked with its special tokens.

    Without a tokenizer.json it is put together from the files that the family had before there was one.
    """
    path = folder / TOKENIZER
    said = [*(_json(folder / name) for name in NAMES if (folder / name).is_file()), config]
    usual = families.TOKENIZERS.get(family)
    if not path.is_file():
        if usual is None:
            raise PlaygroundError("There is no tokenizer.json in {name}.", legacy_tokenizers.SAVE, name=folder.name)
        return _adopted(legacy_tokenizers.assemble(folder, said, usual).to_str(), said, spec)
    state = _json(path)
    try:
        tokenizer = Tokenizer.load(path)
        marked = pretrained_tokenizers.marks_of(state)
    except PlaygroundError:
        tokenizer, marked = None, True
    if tokenizer and not marked and tokenizer.size == spec.vocab_size:
        return tokenizer
    return _adopted(path.read_text(encoding="utf-8"), said, spec)


def _adopted(text: str, said: list[dict[str, Any]], spec: ModelSpec) -> Tokenizer:
    text = pretrained_tokenizers.adopt(text, said, spec.vocab_size, not spec.is_causal)
    with tempfile.TemporaryDirectory() as place:
        write_text(Path(place) / TOKENIZER, text)
        return Tokenizer.load(Path(place) / TOKENIZER)


class _Weights:
    """The tensors of one or several safetensors files, each read when it is asked for.

    Attributes:
        left: names that nobody has asked for.
    """

    def __init__(self, folder: Path, found: families.Found, opened: ExitStack) -> None:
        self._places: dict[str, tuple[Any, str]] = {}
        for path in _weight_files(folder):
            try:
                file = opened.enter_context(safe_open(path, framework="pt"))
            except (SafetensorError, OSError, ValueError) as error:
                raise _unreadable(path) from error
            for name in file.keys():  # noqa: SIM118 (not a dict)
                self._places[families.plain_name(name, found.family)] = (file, name)
        for name, other in families.first_names(self._places, found).items():
            self._places[name] = self._places.pop(other)
        self.left = set(self._places)

    def take(self, name: str, *shape: int | None) -> Tensor:
        """A tensor in float32; None in the shape stands for any size."""
        if name not in self._places:
            raise PlaygroundError(
                "The weights have no {name}.",
                "The files are not complete, or config.json is of another model.",
                name=name,
            )
        file, full = self._places[name]
        about = file.get_slice(full)
        if about.get_dtype() not in _FLOATS:
            raise PlaygroundError(
                "The weights are stored as {dtype}, which is not read here.",
                "Bring the original ones, in float32, bfloat16 or float16.",
                dtype=about.get_dtype(),
            )
        there = list(about.get_shape())
        if len(there) != len(shape) or any(size not in (None, n) for size, n in zip(shape, there, strict=True)):
            asked = " × ".join("?" if size is None else f"{size}" for size in shape)
            raise PlaygroundError(
                "The weights of {name} are {shape}, and config.json asks for {asked}.",
                "The weights and config.json belong to different models.",
                name=name,
                shape=" × ".join(map(str, there)),
                asked=asked,
            )
        self.left.discard(name)
        tensor = file.get_tensor(full).to(torch.float32, copy=True)  # a copy: the file is closed later
        if not tensor.isfinite().all():
            raise PlaygroundError("The weights of {name} hold values that are not numbers.", _DAMAGED, name=name)
        return tensor


def _weight_files(folder: Path) -> list[Path]:
    whole = folder / MODEL
    if whole.is_file():
        return [whole]
    if (folder / INDEX).is_file():
        placed = _json(folder / INDEX).get("weight_map")
        names = sorted(set(map(str, placed.values()))) if isinstance(placed, dict) else []
        if not names or not all(_READ.fullmatch(name) for name in names):
            raise PlaygroundError("The file {name} cannot be read.", _DAMAGED, name=INDEX)
        for name in names:
            if not (folder / name).is_file():
                raise PlaygroundError("The file {name} with a part of the weights is not there.", _DAMAGED, name=name)
        return [folder / name for name in names]
    lone = [path for path in sorted(folder.glob("*.safetensors")) if not path.name.startswith((".", "adapter_"))]
    if len(lone) == 1:  # such as model.fp16.safetensors
        return lone
    for path in sorted(folder.iterdir()):
        if path.suffix in _PICKLED:
            raise _pickled(path.name)
    for path in sorted(folder.iterdir()):
        if path.suffix in _OTHERS:
            raise PlaygroundError(
                "The weights are in {name}, and only safetensors are read.",
                "Bring the model's safetensors, or save it with save_pretrained in transformers: that writes them.",
                name=path.name,
            )
    raise PlaygroundError("There is no model.safetensors in {name}.", _DAMAGED, name=folder.name)


def _pickled(name: str) -> PlaygroundError:
    return PlaygroundError(
        "The weights are in {name}, and only safetensors are read: opening the other kind can run any program.",
        "In transformers, save_pretrained(folder, safe_serialization=True) writes them as safetensors.",
        name=name,
    )


def _unreadable(path: Path) -> PlaygroundError:
    with open(path, "rb") as file:
        pointer = file.read(40).startswith(b"version https://git-lfs")
    if pointer:
        return PlaygroundError(
            "{name} is a note of Git LFS about the weights, not the weights.",
            "Fetch them with: git lfs pull",
            name=path.name,
        )
    return PlaygroundError("The file {name} cannot be read.", _DAMAGED, name=path.name)


def _settle(
    store: RunStore, name: str, found: families.Found, tokenizer: Tokenizer, tensors: dict[str, Tensor], pairs: bool
) -> RunFolder:
    """The run on the disk; nothing of it stays where that fails."""
    cut = TokenizerSpec("bpe", min(max(BASE_SIZE, tokenizer.size), LARGEST_VOCABULARY))
    config = RunConfig(
        name=name.strip() or "model",
        model=found.spec,
        data=DataSpec(UNKNOWN, tokenizer=cut),
        training=TrainingSpec(objective=found.spec.objectives()[0], steps=1),
    )
    more = {"data_shape": "pairs"} if pairs else {}
    run = store.create(config, imported=time.time(), source=found.kind, notes=list(found.notes), **more)
    return _filled(run, tokenizer, tensors)


def _settle_known(
    store: RunStore,
    known: Returned,
    name: str,
    found: families.Found,
    tokenizer: Tokenizer,
    tensors: dict[str, Tensor],
) -> RunFolder:
    """The same for a run that the playground exported."""
    more = {"data_shape": "labelled" if known.labels else "pairs" if known.pairs else "stream", "data_info": known.text}
    config = known.config.replace(name=name.strip() or "model")
    run = store.create(config, imported=time.time(), source=found.kind, notes=list(found.notes), **more)
    return _filled(run, tokenizer, tensors, known.step, known.val_loss, known.labels, known.begin)


def _filled(
    run: RunFolder,
    tokenizer: Tokenizer,
    tensors: dict[str, Tensor],
    step: int = 0,
    val_loss: float | None = None,
    labels: Sequence[str] = (),
    begin: str = "",
) -> RunFolder:
    try:
        with disk_errors("saving the model"):
            tokenizer.save(run.tokenizer_path)
            (run.path / "metrics.jsonl").touch()
            if labels:
                write_json(run.path / LABELS, list(labels))
        if begin:
            run.append_sample({"kind": "text", "step": step, "prompt": begin, "text": ""})
        run.save_checkpoint(step, {MODEL: lambda path: save_file(tensors, path)})
        run.update_status(state="finished", step=step, steps=step, val_loss=val_loss)
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run
