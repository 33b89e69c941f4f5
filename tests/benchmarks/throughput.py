"""(b) Training tokens per second: the whole of a run (folder, journal, evaluation aside) against bare torch modules in the
smallest possible loop, alternating in short turns so that both meet the same machine."""

import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F

from models.presets import PRESETS
from playground.runs.config import RunConfig
from playground.runs.store import RunStore
from playground.text.prepare import prepare
from playground.text.spec import DataSpec
from playground.text.targets import IGNORE_INDEX
from playground.training.device import choose_device
from playground.training.optimizers import build_optimizers
from playground.training.recipes import recipe
from playground.training.trainer import Trainer
from tests.benchmarks import bare
from tests.benchmarks.text import characters

TURNS = 9
STEPS = 25


def measure() -> list[tuple]:
    return [_compare(name) for name in PRESETS if name.endswith("-tiny")]


def _compare(preset: str) -> tuple:
    data = DataSpec("task-dates") if PRESETS[preset].spec.reads_pairs else characters()
    prepared = prepare(data)
    training = recipe(preset, steps=10**6, eval_every=10**6, sample_every=0, checkpoint_seconds=1e6)
    config = RunConfig(preset, PRESETS[preset].spec.replace(vocab_size=prepared.tokenizer.size), data, training, preset)
    folder = RunStore().create(config)
    folder.update_status(state="running")
    trainer = Trainer(folder, config, prepared, choose_device(training))
    trainer.model.train()
    loop = _bare_loop(trainer, preset)
    ours, theirs = [], []
    for turn in range(TURNS + 1):
        for runner, rates in ((lambda: our_steps(trainer, STEPS), ours), (loop, theirs)):
            start = time.perf_counter()
            tokens = runner()
            if turn:  # the first warms up
                rates.append(tokens / (time.perf_counter() - start))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    rate = statistics.median(ours)
    return (
        f"training, {preset}",
        f"{rate:,.0f} tokens/s, {ratio:.2f} × bare torch",
        "≥ 0.95 ×",
        ratio >= 0.95,
    )


def our_steps(trainer: Trainer, steps: int) -> int:
    """The trainer's own steps, its journal written as in a run; the tokens read."""
    before = trainer.progress.tokens
    for _ in range(steps):
        trainer.one_step()
        trainer.after_step()
    return trainer.progress.tokens - before


def _bare_loop(trainer: Trainer, preset: str):
    """The same sizes, the same optimizer settings, the same kind of batch."""
    config, training = trainer.config, trainer.training
    torch.manual_seed(0)
    model = bare.build(config.model).train()
    model.spec = config.model  # the optimizers ask which architecture it is
    name_like_ours(model)
    optimizers = build_optimizers(model, training, "cpu")
    chance = np.random.default_rng(0)
    train = trainer.sampler.prepared.train
    length, size = config.model.context_length, training.batch_size
    text = None if trainer.sampler.is_pairs else train[: len(train)]
    step = 0

    def batch():
        if trainer.sampler.is_pairs:
            nonlocal step
            step += 1
            made = trainer.objective.batch(trainer.sampler.train(step, size))
            mask = made.inputs.get("source_mask")
            return (
                (made.inputs["source_ids"], None if mask is None else ~mask, made.inputs["input_ids"]),
                made.targets,
                made.n_tokens,
            )
        starts = chance.integers(0, len(text) - length - 1, size)
        rows = torch.from_numpy(np.stack([text[i : i + length + 1] for i in starts]).astype(np.int64))
        if training.objective == "clm":
            return (rows[:, :-1],), rows[:, 1:], size * length
        hidden = torch.rand(size, length) < training.mask_rate
        places = hidden.flatten().nonzero()[:, 0]
        ids = rows[:, :-1]
        return (ids.masked_fill(hidden, 3), places), ids.flatten()[places], size * length

    def run() -> int:
        tokens = 0
        for _ in range(STEPS):
            inputs, targets, n_tokens = batch()
            loss = F.cross_entropy(model(*inputs).flatten(0, -2), targets.flatten(), ignore_index=IGNORE_INDEX)
            loss.backward()
            if training.grad_clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), training.grad_clip)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            tokens += n_tokens
        return tokens

    return run


def name_like_ours(model) -> None:
    """Muon chooses matrices by name: give the bare decoder's blocks the names that ours have."""
    if hasattr(model, "blocks"):
        model.layers = model.blocks
        del model.blocks
        type(model).blocks = property(lambda self: self.layers)
