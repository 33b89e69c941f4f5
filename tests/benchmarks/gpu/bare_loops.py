"""Training without this app: the smallest loop in torch that a person would write for a GPU, eager or compiled, and the
loop as nanoGPT writes it (compiled with its loss, bfloat16, fused AdamW, clipping, the loss read every ten steps)."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.text.targets import IGNORE_INDEX
from playground.training.optimizers import build_optimizers
from playground.training.trainer import Trainer
from tests.benchmarks import bare
from tests.benchmarks.throughput import name_like_ours

Run = Callable[[int], int]
"""So many steps; the tokens that were read."""


def on_device(model: nn.Module, device: str) -> nn.Module:
    """The bare model there, with the tables that are no buffers."""
    model = model.to(device)
    if getattr(model, "rope", None) is not None:
        model.rope = tuple(table.to(device) for table in model.rope)
    if hasattr(model, "waves"):
        model.waves = model.waves.to(device)
    return model


class Asked(nn.Module):
    """A model with its loss, the mean over the targets: so both are compiled together."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: tuple[Tensor, ...], targets: Tensor) -> Tensor:
        logits = self.model(*inputs)
        return F.cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=IGNORE_INDEX)


def optimizers_of(model: nn.Module, trainer: Trainer) -> list[torch.optim.Optimizer]:
    """Fused AdamW, decay on matrices alone; where the preset has Muon, the same Muon."""
    training, device = trainer.training, trainer.device.kind
    if training.optimizer != "adamw":
        name_like_ours(model)
        return build_optimizers(model, training, device)
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": training.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return [torch.optim.AdamW(groups, lr=training.lr, betas=(training.beta1, training.beta2), fused=True)]


def batches(trainer: Trainer) -> Callable[[], tuple[tuple[Tensor, ...], Tensor, int]]:
    """The same kind of batch as the app's, drawn from the same tokens, in pinned memory and sent without waiting."""
    config, training, device = trainer.config, trainer.training, trainer.device
    chance, sampler = np.random.default_rng(0), trainer.sampler
    length, size, step = config.model.context_length, training.batch_size, 0
    text = None if sampler.is_pairs else sampler.prepared.train[: len(sampler.prepared.train)]

    def send(tensor: Tensor) -> Tensor:
        return tensor.pin_memory().to(device.torch, non_blocking=True) if device.kind == "cuda" else tensor

    def pairs():
        nonlocal step
        step += 1
        made = trainer.objective.batch(sampler.train(step, size))
        mask = made.inputs.get("source_mask")
        padding = None if mask is None else send(~mask)
        return (
            (send(made.inputs["source_ids"]), padding, send(made.inputs["input_ids"])),
            send(made.targets),
            made.n_tokens,
        )

    def stream():
        starts = chance.integers(0, len(text) - length - 1, size)
        rows = torch.from_numpy(np.stack([text[i : i + length + 1] for i in starts]).astype(np.int64))
        ids = rows[:, :-1].contiguous()
        if training.objective == "clm":
            return (send(ids),), send(rows[:, 1:].contiguous()), size * length
        hidden = torch.rand(size, length) < training.mask_rate
        places = hidden.flatten().nonzero()[:, 0]
        return (send(ids.masked_fill(hidden, 3)), send(places)), send(ids.flatten()[places]), size * length

    return pairs if sampler.is_pairs else stream


def bare_loop(trainer: Trainer, backend: str = "") -> Run:
    """Forward under autocast, backward, clip, step; nothing is read back. The same sizes and settings as the app's run.

    Args:
        backend: of ``torch.compile``; "" compiles nothing.
    """
    training, device = trainer.training, trainer.device
    torch.manual_seed(0)
    model = on_device(bare.build(trainer.config.model), device.kind).train()
    model.spec = trainer.config.model  # the optimizers ask which architecture it is
    optimizers, batch = optimizers_of(model, trainer), batches(trainer)
    asked = Asked(model)
    loss_of = torch.compile(asked, dynamic=False, backend=backend) if backend else asked

    def run(steps: int) -> int:
        tokens = 0
        for _ in range(steps):
            inputs, targets, n_tokens = batch()
            with device.autocast():
                loss = loss_of(inputs, targets)
            loss.backward()
            if training.grad_clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), training.grad_clip)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            tokens += n_tokens
        return tokens

    return run


def nanogpt_loop(trainer: Trainer, backend: str = "inductor") -> Run:
    """The order of nanoGPT's own loop: the next batch is fetched while the device still works on the forward pass."""
    training, device = trainer.training, trainer.device
    torch.manual_seed(0)
    model = on_device(bare.build(trainer.config.model), device.kind).train()
    (optimizer,), batch = optimizers_of(model, trainer), batches(trainer)
    loss_of, done = torch.compile(Asked(model), dynamic=False, backend=backend), 0
    inputs, targets, n_tokens = batch()

    def run(steps: int) -> int:
        nonlocal inputs, targets, done
        for _ in range(steps):
            with device.autocast():
                loss = loss_of(inputs, targets)
            inputs, targets, _ = batch()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), training.grad_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if done % 10 == 0:
                loss.item()
            done += 1
        return steps * n_tokens

    return run
