"""How a run or a model from elsewhere comes in: opened in a child process with limits, proved there, and only then kept.

A zip file of a run that "Download" made, a zip file of a Hugging Face folder, or (for who sits at this machine) such a folder.
What becomes a run has settings that can be, a tokenizer that cuts any text in bounded time, weights that fit both, and has
answered a token. Graphs of exports are never taken over: an export is made anew from the weights.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from playground.core import limited_process
from playground.core.atomic import disk_errors
from playground.core.errors import PlaygroundError
from playground.runs import naming
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.runs.throughput import free_memory
from playground.text.uploads import safe_name

PART = 1 << 20  # bytes copied at once
MEMORY_PER_BYTE = (
    6  # bytes of memory for each byte that was brought: weights as they are, as floats, in the model, on their way out
)
BYTES_PER_SECOND = 4_000_000  # bytes a second that are read, checked and written at the least
_LEFT = ".import-"  # what a folder is called in which something is being opened
_OLD = 86_400.0  # seconds after which such a folder was left behind


class SandboxedImport:
    """Something from elsewhere on its way to a run.

    Args:
        source: an open zip file, read from where it stands and copied in parts; or the path of one, or of a folder.
        store: where the run goes; the person's own unless told.
        name, context: as in `playground.huggingface.import_run.import_folder`.

    Raises:
        PlaygroundError: when there is no such file, or the disk is full.
    """

    def __init__(
        self,
        source: Path | BinaryIO,
        store: RunStore | None = None,
        name: str | None = None,
        context: int | None = None,
    ) -> None:
        self._store, self._stopped = store or RunStore(), False
        _tidy(self._store.root)
        self._work = Path(tempfile.mkdtemp(dir=self._store.root, prefix=_LEFT))
        try:
            with disk_errors("keeping the file"):
                self._path = _copied(source, self._work)
            size = _size(self._path)
        except BaseException:
            self._clear()
            raise
        self.what = safe_name(str(source if isinstance(source, Path) else getattr(source, "name", "") or "model.zip"))
        memory = int(
            min(limited_process.MEMORY + MEMORY_PER_BYTE * size, max(limited_process.MEMORY, 0.8 * free_memory()))
        )
        self._limits = {
            "what": self.what,
            "memory": memory,
            "seconds": limited_process.SECONDS + size / BYTES_PER_SECOND,
        }
        self._opening = limited_process.LimitedProcess(
            f"{__name__}:_open", str(self._path), str(self._work), name, context, **self._limits
        )

    @property
    def stage(self) -> str:
        """What is being done, a sentence of the core."""
        return self._opening.stage

    def stop(self) -> None:
        """Ends it; nothing of it is kept."""
        self._stopped = True
        self._opening.stop()

    def run(self) -> RunFolder:
        """Waits for the end.

        Returns:
            The run, in its store.

        Raises:
            PlaygroundError: why it was not taken; nothing of it is kept then.
        """
        try:
            found = self._opening.result()
            made = RunFolder(self._work / "runs" / _id(found["id"]))
            if brought := found.get("export"):
                self._opening = limited_process.LimitedProcess(
                    f"{__name__}:_export", str(made.path), brought, **self._limits
                )
                if self._stopped:  # while the one before it had ended already
                    self._opening.stop()
                with suppress(PlaygroundError):  # it can be exported again whenever somebody wants it
                    self._opening.result()
                    brought = None
            if self._stopped:
                raise PlaygroundError("Opening {what} was stopped.", "Nothing of it was kept.", what=self.what)
            return self._settle(made, bool(brought))
        finally:
            self._clear()

    def _settle(self, made: RunFolder, left_out: bool) -> RunFolder:
        """Makes the proved folder a run of the store, in one step."""
        if left_out:
            notes = [
                *made.about().get("notes", []),
                "Its export was left out: make it again on the page Export.",
            ]
            made.write_config(made.config(), notes=notes)
        target = self._store.root / made.id
        while target.exists():
            target = self._store.root / naming.new_id(made.name)
        with disk_errors("keeping the run"):
            os.rename(made.path, target)
        return RunFolder(target)

    def _clear(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)


def import_sandboxed(
    source: Path | BinaryIO,
    store: RunStore | None = None,
    name: str | None = None,
    context: int | None = None,
) -> RunFolder:
    """Opens what came from elsewhere in a child process, see `Arrival`, and waits for the run.

    Raises:
        PlaygroundError: why it was not taken.
    """
    return SandboxedImport(source, store, name, context).run()


def _copied(source: Path | BinaryIO, work: Path) -> Path:
    if isinstance(source, Path):
        if not source.exists():
            raise PlaygroundError("There is no file {source}.", source=source)
        return source.absolute()
    place = work / "brought"
    place.mkdir()
    copy = place / safe_name(str(getattr(source, "name", "") or "model.zip"))
    with open(copy, "wb") as file:
        shutil.copyfileobj(source, file, PART)
    return copy


def _size(path: Path) -> int:
    """Bytes that are brought: of the file as it is packed, or of a folder's files. What unpacks to much more is refused."""
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def _id(said: Any) -> str:
    if not isinstance(said, str) or not naming.is_id(said):
        raise PlaygroundError("What was opened gave no run.", "Bring it again.")
    return said


def _tidy(root: Path) -> None:
    """Removes what a server that was killed left half opened."""
    for left in root.glob(f"{_LEFT}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _OLD:
                shutil.rmtree(left, ignore_errors=True)


# In the child


def _open(path: str, work: str, name: str | None, context: int | None) -> dict[str, Any]:
    """Makes a run of what was brought, in a store of its own, and proves it.

    Returns:
        Its id, and of which kind the export was that came with it, if one did.
    """
    from playground.runs import archive

    store = RunStore(Path(work) / "runs")
    is_zip = Path(path).is_file()
    with _in_words():
        limited_process.stage("Unpacking")
        if is_zip and _is_packed_run(Path(path)):
            run = archive.unpack(Path(path), store.root)
            if name:
                run.write_config(run.config().replace(name=name))
        else:
            from playground.huggingface.import_run import import_folder

            run = import_folder(Path(path), store, name, context)
        limited_process.stage("Checking")
        check_run(run)
        return {
            "id": run.id,
            "export": archive.export_in(path) if is_zip and "source" not in run.about() else None,
        }


def _is_packed_run(path: Path) -> bool:
    import zipfile

    from playground.runs.archive import holds_run

    try:
        with zipfile.ZipFile(path) as packed:
            return holds_run(packed.namelist())
    except Exception:  # what is wrong is told by who opens it
        return False


@contextmanager
def _in_words() -> Iterator[None]:
    """What libraries say of files that do not fit together, as a sentence."""
    try:
        yield
    except (
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
        RecursionError,
    ) as error:
        from models.spec import SpecError

        if isinstance(error, SpecError) or limited_process.is_memory(error):
            raise
        reason = (str(error).strip() or "?").splitlines()[0][:200].rstrip(".")
        raise PlaygroundError(
            "What is in this file does not fit together ({kind}: {reason}).",
            "Get it again from where it comes from.",
            kind=type(error).__name__,
            reason=reason,
        ) from error


def check_run(run: RunFolder) -> None:
    """Opens all of a run as the app will: its small files, tokenizer, every checkpoint; and asks the newest one for a token.

    Raises:
        PlaygroundError: for what cannot be opened, or does not answer.
    """
    from playground.runs import checkpoints, snapshots
    from playground.runs.integrity import problem_in_contents
    from playground.training.checkpoint_io import load_weights

    if wrong := problem_in_contents(run):
        raise PlaygroundError(*wrong)
    for name, most in LARGEST.items():
        if (run.path / name).exists() and (run.path / name).stat().st_size > most:
            raise PlaygroundError(
                "The file {name} is larger than that of any run.", "It may be damaged, or made to do harm.", name=name
            )
    called = {checkpoints.path_of(run.path, step).name for step in checkpoints.folders(run.path)}
    if not called.issuperset(path.name for path in checkpoints.folder_of(run.path).glob("step-*")):
        raise PlaygroundError("A checkpoint is not called as its step is.", "Pack the run again.")
    model = run.config().model
    if not model.is_recurrent and model.n_layers * model.n_heads > MOST_HEADS:
        raise PlaygroundError(
            "This model has {heads:,} heads, and at most {most:,} can be looked at here.",
            "Bring a smaller one.",
            heads=model.n_layers * model.n_heads,
            most=MOST_HEADS,
        )
    if not run.checkpoints():
        return
    _check_tokenizer(run)
    for step in run.checkpoints():
        checkpoints.check_sums(run.checkpoint(step))
        checkpoints.write_sums(run.checkpoint(step))
    for step in snapshots.steps(run.path):
        load_weights(snapshots.path_of(run.path, step))
    _check_forward(run)


LARGEST = {"run.json": 2**18, "labels.json": 2**20}  # bytes of what every page reads
MOST_HEADS = 1024  # of all layers, as many as a Llama of 8 billion parameters has
PROBES = ("a", " ", "\n", "1", ".", "é", "中", "a b", "ab1. ")


def _check_tokenizer(run: RunFolder) -> None:
    """Cuts the texts that patterns stumble over; a pattern that takes for ever runs into the limit of time here."""
    from playground.text.tokenizers import Tokenizer

    tokenizer = Tokenizer.load(run.tokenizer_path)
    for probe in PROBES:
        ids = tokenizer.encode(probe * (20_000 // len(probe)))
        tokenizer.decode(ids[:1000])
    tokenizer.pieces(range(tokenizer.size))


def _check_forward(run: RunFolder) -> None:
    import torch

    from models.transformer import Source
    from playground.text.tokenizers import Tokenizer
    from playground.training.load_model import body_of, load_model

    model, tokenizer = load_model(run), Tokenizer.load(run.tokenizer_path)
    spec = run.config().model
    ids = torch.tensor(
        [tokenizer.with_special_tokens(tokenizer.encode("a b")[:4] or [tokenizer.eos_id], most=spec.context_length)]
    )
    with torch.inference_mode():
        if spec.reads_pairs:
            logits = model(ids, source=Source(memory=body_of(model).encode(ids))).logits
        else:
            logits = model(ids).logits
    if not bool(torch.isfinite(logits.float()).all()):
        raise PlaygroundError(
            "The weights of {name} answer with what is no number.",
            "They were trained wrongly, or are damaged.",
            name=run.name,
        )


def _export(path: str, brought: dict[str, Any]) -> None:
    """Makes the export anew that came with a run, of the same step and in the same precisions."""
    from playground.onnx_export.export import export

    run = RunFolder(Path(path))
    step = brought["step"] if brought["step"] in run.checkpoints() else None
    told: Callable[[str, float], None] = lambda what, share: limited_process.stage(what)
    export(run, step, ("fp32", *brought["precisions"]), brought["attentions"], progress=told)
