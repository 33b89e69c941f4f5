"""Makes a gallery run of a trained one: ``python -m playground runs ship RUN NAME``.

Keeps what a visitor looks at (weights in half precision, curves, samples, tokenizer) and leaves out what only going
on with training needs. The recipe, a command line that makes the run anew, is written beside it.
"""

import json
import shutil
from pathlib import Path

from playground.core.atomic import write_json, write_text
from playground.core.errors import PlaygroundError
from playground.core.jsonl import append
from playground.generation.cached_prediction import write_opening
from playground.runs import gallery
from playground.runs.config import FORMAT
from playground.runs.folder import RunFolder
from playground.runs.naming import is_id
from playground.training.config_to_command import command_line

MOST_STEPS = 400  # lines of training loss that stay: a curve on a screen has no more points


def ship(run: RunFolder, name: str, root: Path | None = None, past_too: bool = False) -> Path:
    """Writes the gallery folder of a finished run.

    Args:
        run: with at least one checkpoint.
        name: of the folder, and the run's id in the gallery.
        root: where; the package's gallery by default.
        past_too: also the checkpoints that it was told to keep, to show how it came to be what it is.

    Raises:
        PlaygroundError: when the run has no checkpoint or the name is no id.
    """
    latest = run.latest_checkpoint()
    if latest is None or not is_id(name):
        raise PlaygroundError(
            f"{run.id} cannot go into the gallery as {name!r}.", "It needs a checkpoint and a plain name."
        )
    target = (root or gallery.FOLDER) / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    about = {key: value for key, value in run.about().items() if key not in ("data_folder", "created")}
    write_json(target / "run.json", {**about, "format": FORMAT})
    shutil.copy(run.tokenizer_path, target / "tokenizer.json")
    status = run.status()
    kept = {
        "state": "finished",
        "step": status.step,
        "steps": status.steps,
        "device": status.device,
        "loss": status.loss,
        "val_loss": status.val_loss,
        "note": status.note,
    }
    write_json(target / "status.json", kept)
    append(target / "metrics.jsonl", *_thinned(run.metrics()[0]))
    append(target / "samples.jsonl", *run.samples())
    kept = set(run.checkpoints()) & set(run.config().training.keep_steps if past_too else ())
    for checkpoint in {latest, *(run.checkpoint(step) for step in kept)}:
        _halve(checkpoint, target / "checkpoint" / checkpoint.name)
    write_text(target / "README.md", _card(run))
    write_opening(RunFolder(target))
    return target


def _thinned(rows: list[dict]) -> list[dict]:
    steps = [row["step"] for row in rows if row["kind"] == "train"]
    stride = max(1, len(steps) // MOST_STEPS)
    return [row for row in rows if row["kind"] == "eval" or row["step"] % stride == 0 or row["step"] == 1]


def _halve(checkpoint: Path, target: Path) -> None:
    from safetensors.torch import load_file, save_file

    target.mkdir(parents=True)
    weights = load_file(checkpoint / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in weights.items()}, target / "model.safetensors")
    (target / "model.safetensors").chmod(0o644)
    shutil.copy(checkpoint / "trainer.json", target / "trainer.json")


def _card(run: RunFolder) -> str:
    about, status = run.about(), run.status()
    info = about.get("data_info", {})
    return f"""# {run.name}

Made with:

    {command_line(run.config())}

Validation loss {status.val_loss:.4f} nats per token after {status.step:,} steps. Text: {info.get("provenance", "generated")}
({info.get("licence", "")}). Weights are stored in float16; versions: {json.dumps(about.get("versions", {}))}.
"""
