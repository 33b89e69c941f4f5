"""How each preset is trained when the person says nothing: measured starting points, all changeable."""

from models.spec import SpecError
from playground.runs.config import TrainingSpec

# nanoGPT's CPU recipe (github.com/karpathy/nanoGPT, README): 2,000 iterations of 12 × 64 characters.
NANOGPT = TrainingSpec(
    lr=1e-3, beta1=0.9, beta2=0.99, weight_decay=0.1, warmup_steps=100, schedule="cosine", final_lr_fraction=0.1
)

# Muon for the block matrices, AdamW for the rest; a short plateau, then a straight line down.
MODERN = TrainingSpec(
    optimizer="muon",
    lr=6e-3,
    muon_lr=0.02,
    beta1=0.8,
    beta2=0.95,
    weight_decay=0.0,
    warmup_steps=20,
    schedule="linear",
    constant_fraction=0.3,
    final_lr_fraction=0.02,
    grad_clip=0.0,
)

RECURRENT = TrainingSpec(
    lr=4e-3, beta2=0.99, weight_decay=0.01, warmup_steps=50, schedule="cosine", final_lr_fraction=0.05
)

# Post-norm needs a longer warm-up (Xiong et al. 2020): at twice this rate the encoder–decoder ignores its source.
POST_NORM = NANOGPT.replace(beta2=0.98, warmup_steps=200)

RECIPES = {
    "rnn": RECURRENT.replace(lr=2e-3),
    "lstm": RECURRENT,
    "gru": RECURRENT,
    "lstm-attention": RECURRENT.replace(objective="seq2seq", batch_size=64),
    "gpt2": NANOGPT,
    "llama": NANOGPT.replace(lr=3e-3, beta2=0.95, warmup_steps=50),
    "bert": POST_NORM.replace(objective="mlm", batch_size=32),
    "seq2seq": POST_NORM.replace(objective="seq2seq", batch_size=64),
    "modern": MODERN,
}


def recipe(preset: str, **changes) -> TrainingSpec:
    """The training choices for a preset such as "llama-tiny", with ``changes`` on top.

    Small sizes learn with a third of the tiny ones' learning rate and twice their batch. Fewer steps have a shorter warm-up,
    unless ``changes`` say how long it is.

    Raises:
        SpecError: when there is no such preset, or a change is not a training setting.
    """
    family, _, size = preset.rpartition("-")
    if family not in RECIPES or size not in ("tiny", "small"):
        known = ", ".join(f"{name}-tiny, {name}-small" for name in RECIPES)
        raise SpecError("There is no recipe for {preset!r}.", "There are: {known}.", preset=preset, known=known)
    training = RECIPES[family]
    if size == "small":
        training = training.replace(lr=training.lr / 3, batch_size=training.batch_size * 2)
    chosen = training.replace(**changes)
    return chosen if "warmup_steps" in changes else chosen.replace(warmup_steps=warmup_for(training, chosen.steps))


def warmup_for(usual: TrainingSpec, steps: int) -> int:
    """How many of ``steps`` warm up: as many as usual, or of a shorter run a tenth, or the usual share if that is more."""
    if steps >= usual.steps:
        return usual.warmup_steps
    return min(usual.warmup_steps, max(steps // 10, usual.warmup_steps * steps // usual.steps))
