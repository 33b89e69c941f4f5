"""Whether a run that was stopped and goes on ends with the very weights of one that never stopped."""

from collections.abc import Iterator

import torch
from safetensors.torch import load_file

from models.spec import ModelSpec
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.text.prepare import Prepared, prepare
from playground.training.checkpoint_io import MODEL, OPTIMIZER
from playground.training.device import choose_device
from playground.training.trainer import Trainer
from tests.benchmarks.gpu.rows import Row, Setting, attempt, skipped
from tests.benchmarks.text import characters

SHAPE = {"d_model": 128, "n_layers": 2, "n_heads": 4, "context_length": 64}
KINDS = {
    "decoder with dropout": ({"architecture": "decoder", "dropout": 0.1}, {}),
    "decoder, Muon": ({"architecture": "decoder", "norm": "rmsnorm", "position": "rotary"}, {"optimizer": "muon"}),
    "LSTM": ({"architecture": "lstm"}, {}),
    "LSTM with dropout": ({"architecture": "lstm", "dropout": 0.1}, {}),
    "encoder, hidden words": ({"architecture": "encoder", "dropout": 0.1}, {"objective": "mlm"}),
}
STEPS, STOP, SECONDS = 60, 27, 4
SAME = "bit for bit the same"


def measure(setting: Setting) -> Iterator[Row]:
    prepared = prepare(characters())
    for name, (model, training) in KINDS.items():
        what = f"resumed run, {name}: weights"
        if setting.left() < SECONDS:
            yield skipped(what, "no time was left")
            continue
        yield from attempt(what, compared, what, setting, prepared, model, training, goal=SAME)


def compared(what: str, setting: Setting, prepared: Prepared, model: dict, training: dict) -> Row:
    steps, stop = (12, 5) if setting.rehearsal else (STEPS, STOP)
    spec = ModelSpec(
        **{**SHAPE, **({"d_model": 32} if setting.rehearsal else {}), **model}, vocab_size=prepared.tokenizer.size
    )
    chosen = TrainingSpec(
        steps=steps,
        batch_size=8,
        warmup_steps=3,
        eval_every=10,
        eval_batches=2,
        sample_every=0,
        checkpoint_seconds=1e6,
        device=setting.device,
        compile="off",
        **training,
    )
    config = RunConfig(what, spec, prepared.spec, chosen)
    whole, halved = RunStore().create(config), RunStore().create(config)
    trained(whole, config, prepared)
    trained(halved, config, prepared, stop)
    described = trained(halved, config, prepared)
    ends = [folder.latest_checkpoint() for folder in (whole, halved)]
    different = [name for file in (MODEL, OPTIMIZER) for name in differing(*(end / file for end in ends))]
    curves = [[row["loss"] for row in folder.metrics()[0] if row["kind"] == "train"] for folder in (whole, halved)]
    first = next((i + 1 for i, (a, b) in enumerate(zip(*curves, strict=True)) if a != b), None)
    told = f"the same after {steps} steps, stopped at {stop}" if not different else f"{len(different)} tensors differ"
    told += f"; losses differ from step {first} on" if first else ""
    return Row(
        f"{what} ({described})",
        told,
        SAME,
        not different and first is None,
        figures={"different": different[:20], "first_loss": first},
    )


def trained(folder: RunFolder, config: RunConfig, prepared: Prepared, stop: int | None = None) -> str:
    """Trains on from where the folder is, to the end or to a pause; what it ran on, in words."""
    folder.update_status(state="running")
    trainer = Trainer(folder, config, prepared, choose_device(config.training))
    trainer.pause_at = stop
    ended = trainer.run()
    if ended != ("paused" if stop else "finished"):
        raise RuntimeError(f"the run {ended} at step {trainer.progress.step}")
    return trainer.device.describe()


def differing(ours, theirs) -> list[str]:
    """The names of the tensors that are not the same in two files."""
    a, b = load_file(ours), load_file(theirs)
    return [
        name
        for name in sorted(a.keys() | b.keys())
        if name not in a or name not in b or not torch.equal(a[name], b[name])
    ]
