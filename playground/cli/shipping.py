"""Makes a gallery run of a trained one: ``python -m playground runs ship RUN NAME``.

Keeps what a visitor looks at (weights in half precision, curves, samples, tokenizer) and leaves out what only going
on with training needs. The recipe, a command line that makes the run anew, is written beside it.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from playground.core.atomic import write_json, write_text
from playground.core.errors import PlaygroundError
from playground.core.jsonl import append
from playground.generation.cached_prediction import write_opening
from playground.inspection.head_scores import write_scores
from playground.labelled.baseline import SHIPPED, baseline
from playground.labelled.prepare import load_labelled
from playground.runs import gallery
from playground.runs.config import FORMAT, RunConfig
from playground.runs.folder import RunFolder
from playground.runs.naming import is_id
from playground.runs.report import NAME, read_report
from playground.runs.store import RunStore
from playground.training.config_to_command import command_line
from playground.training.load_model import LABELS

MOST_PREDICTIONS = 100_000  # bytes
MOST_STEPS = 200  # lines of training loss that stay: enough for the curve of a finished run


def ship(run: RunFolder, name: str, root: Path | None = None, past_too: bool = False, sample: str = "") -> Path:
    """Writes the gallery folder of a finished run.

    Args:
        run: with at least one checkpoint.
        name: of the folder, and the run's id in the gallery.
        root: where; the package's gallery by default.
        past_too: also the checkpoints that it was told to keep, to show how it came to be what it is.
        sample: a text that pages open it with, which goes along with what the model makes of it. Then no other sample and
            no probed passage goes along: they hold texts of others.

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
        "note": None if sample else status.note,
    }
    write_json(target / "status.json", kept)
    measured = _thinned(run.metrics()[0])
    append(target / "metrics.jsonl", *[_without_probe(row) if sample else row for row in measured])
    append(target / "samples.jsonl", *([own_sample(run, sample)] if sample else run.samples()))
    kept = set(run.checkpoints()) & set(run.config().training.keep_steps if past_too else ())
    for checkpoint in {latest, *(run.checkpoint(step) for step in kept)}:
        _halve(checkpoint, target / "checkpoint" / checkpoint.name)
    if run.config().finetune:
        _copy_results(run, target)
    write_text(target / "README.md", _card(run))
    write_opening(RunFolder(target))
    write_scores(RunFolder(target))
    return target


def own_sample(run: RunFolder, text: str) -> dict:
    """A line of ``samples.jsonl``: a text of ours, and what the model makes of it.

    It continues the text, answers it or fills in what it hides; a model that gives labels has nothing to write.
    """
    from playground.generation.fill_mask import fill
    from playground.generation.predict import open_prompt
    from playground.generation.torch_model import TorchEncoder, TorchGenerator
    from playground.inference.sampling import Sampling
    from playground.text.tokenizers import Tokenizer
    from playground.training.load_model import body_of, load_model

    config, tokenizer, step = run.config(), Tokenizer.load(run.tokenizer_path), run.checkpoints()[-1]
    sample = {"kind": "text", "step": step, "prompt": text, "text": ""}
    if config.finetune and config.finetune.reads_labels:
        return sample
    model = load_model(run)
    if config.training.objective == "mlm":
        ids = tokenizer.encode(text, specials=True)
        blanks = fill(TorchEncoder(model, tokenizer.pad_id), ids, (), tokenizer.mask_id, frame=tokenizer.frame)
        for blank in blanks:
            ids[blank.place] = blank.likeliest[0][0]
        return {**sample, "text": "\n" + tokenizer.decode(ids)} if blanks else sample
    answers = run.about().get("data_shape") == "pairs"
    prompt = open_prompt(config.model, tokenizer, text, answers, config.data.template)
    written = TorchGenerator(body_of(model)).generate(
        prompt.ids,
        config.training.sample_max_new_tokens,
        Sampling(temperature=0.0 if answers else 0.8),
        seed=step,
        stop=(tokenizer.eos_id,),
        source_ids=prompt.source,
    )
    return {**sample, "text": ("\n" if answers else "") + prompt.following(tokenizer.decode(list(written)))}


def _thinned(rows: list[dict]) -> list[dict]:
    steps = [row["step"] for row in rows if row["kind"] == "train"]
    stride = max(1, len(steps) // MOST_STEPS)
    return [row for row in rows if row["kind"] == "eval" or row["step"] % stride == 0 or row["step"] == 1]


def _without_probe(row: dict) -> dict:
    """A row without what was measured on the probed passage, token by token."""
    return {key: value for key, value in row.items() if key != "probe"}


def _halve(checkpoint: Path, target: Path) -> None:
    from safetensors.torch import load_file, save_file

    target.mkdir(parents=True)
    weights = load_file(checkpoint / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in weights.items()}, target / "model.safetensors")
    (target / "model.safetensors").chmod(0o644)
    shutil.copy(checkpoint / "trainer.json", target / "trainer.json")


def _copy_results(run: RunFolder, target: Path) -> None:
    """What the test of a fine-tuned run found, and its labels, with the figures of the linear model beside them.

    The predictions for each test text go along where they are small: without its text nobody can read them.
    """
    (target / "results").mkdir()
    shutil.copy(run.path / "results" / NAME, target / "results" / NAME)
    tuned, prepared = run.config().finetune, run.data_folder()
    if tuned is None or tuned.labelled is None or prepared is None:
        return
    shutil.copy(run.path / LABELS, target / LABELS)
    predictions = run.path / "results" / "test.safetensors"
    if predictions.stat().st_size <= MOST_PREDICTIONS:
        shutil.copy(predictions, target / "results" / predictions.name)
    write_json(target / SHIPPED, baseline(load_labelled(prepared), tuned.labelled))


def commands(config: RunConfig) -> list[str]:
    """The command lines that make a run anew: those of the runs that it starts from come first, called by their names."""
    if config.parent is None:
        return [command_line(config)]
    parent = RunStore().get(config.parent["run"])
    own = replace(config, parent={**config.parent, "run": parent.name})
    return [*commands(parent.config()), command_line(own)]


def _held_out(run: RunFolder) -> str:
    """What is known of texts that the run has not learnt from, in a sentence."""
    status, report = run.status(), read_report(run)
    if report is None or "test" not in report:
        return f"Validation loss {status.val_loss:.4f} nats per token after {status.step:,} steps."
    test, of = report["test"], [f"{row['label']} {row['f1']:.1%}" for row in report["by_label"]]
    tuned, prepared = run.config().finetune, run.data_folder()
    assert tuned is not None and tuned.labelled is not None and prepared is not None  # it was tested on labels
    simple = baseline(load_labelled(prepared), tuned.labelled)
    return (
        f"Held-out accuracy {test['accuracy']:.1%}, macro F1 {test['macro_f1']:.1%} ({', '.join(of)}), on {test['n']:,} "
        f"examples, after {status.step:,} steps. TF-IDF and logistic regression: {simple['accuracy']:.1%}, "
        f"{simple['macro_f1']:.1%}."
    )


def _source(run: RunFolder) -> tuple[str, str]:
    """Where the text comes from, and its licence."""
    tuned, prepared = run.config().finetune, run.data_folder()
    info = run.about().get("data_info", {})
    if tuned and tuned.labelled and prepared:
        info = load_labelled(prepared).info
    return str(info.get("provenance", "generated")), str(info.get("licence", ""))


def _card(run: RunFolder) -> str:
    provenance, licence = _source(run)
    made = "\n".join(f"    {line}" for line in commands(run.config()))
    versions = json.dumps(run.about().get("versions", {}))
    return f"""# {run.name}

Made with:

{made}

{_held_out(run)} Text: {provenance}
({licence}). Weights are stored in float16; versions: {versions}.
"""
