"""New runs made from old ones: branched at a checkpoint, or mended where the loss stopped being a number."""

from playground.core.errors import PlaygroundError
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.snapshots import weights_of

LR_DIVISOR = 3.0


def branch(run: RunFolder, step: int | None = None, name: str | None = None) -> RunConfig:
    """The run's settings, starting from the weights of one of its checkpoints or snapshots.

    Args:
        step: of the checkpoint or the snapshot; None takes the newest checkpoint.

    Raises:
        PlaygroundError: when it has neither of this step.
    """
    config, steps = run.config(), run.checkpoints()
    if not steps:
        raise PlaygroundError(
            "{name} has no checkpoint yet.", "Let it train for a few seconds first.", name=config.name
        )
    step = steps[-1] if step is None else step
    weights_of(run, step)
    return config.replace(name=name or f"{config.name}, from step {step:,}", parent={"run": run.id, "step": step})


def with_lower_lr(run: RunFolder) -> RunConfig:
    """A copy that learns at a third of the learning rate, with clipped gradients, from the last good weights.

    Good are those of the best evaluation; the newest may be spoilt already though they are still numbers.
    Without a checkpoint it begins at the beginning.
    """
    config = run.config()
    training = config.training.replace(
        lr=config.training.lr / LR_DIVISOR,
        muon_lr=config.training.muon_lr / LR_DIVISOR,
        grad_clip=config.training.grad_clip or 1.0,
        warmup_steps=max(config.training.warmup_steps, min(20, config.training.steps // 10)),
    )
    step = best_checkpoint(run)
    parent = {"run": run.id, "step": step} if step is not None else config.parent
    return config.replace(name=f"{config.name}, learning rate ÷ 3", training=training, parent=parent)


def with_smaller_micro_batches(run: RunFolder) -> RunConfig | None:
    """A copy that holds half as many sequences in memory at once and learns the same; None when one is left."""
    config = run.config()
    batch, pieces = config.training.batch_size, config.training.gradient_accumulation_steps * 2
    if pieces > batch:
        return None
    pieces = next(n for n in range(pieces, batch + 1) if batch % n == 0)
    return config.replace(
        name=f"{config.name}, {pieces} micro-batches",
        training=config.training.replace(gradient_accumulation_steps=pieces),
    )


def best_checkpoint(run: RunFolder) -> int | None:
    """The step of the checkpoint to go back to: the best evaluation's, else the newest one."""
    steps = run.checkpoints()
    rows = run.each_metric() if steps else ()
    losses = ((row.val_loss, row.step) for row in rows if row.kind == "eval" and row.step in steps)
    scored = ((loss, step) for loss, step in losses if loss is not None)
    best = min(scored, key=lambda pair: pair[0], default=None)
    return best[1] if best else steps[-1] if steps else None
