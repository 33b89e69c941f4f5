"""Comparison of architectures: another one with the same text, seed and budget, and about as many parameters."""

from functools import lru_cache

from models.parameter_counts import parameter_counts
from models.presets import PRESETS
from models.spec import ModelSpec, SpecError
from playground.runs.config import RunConfig
from playground.training.recipes import recipe

WIDTHS = range(8, 2049, 8)
SHARED_SETTINGS = (
    "steps",
    "batch_size",
    "gradient_accumulation_steps",
    "seed",
    "device",
    "dtype",
    "eval_every",
    "eval_batches",
    "sample_every",
    "sample_prompt",
    "sample_max_new_tokens",
    "loss_on",
    "mask_rate",
    "threads",
)


def comparable_presets(config: RunConfig) -> list[str]:
    """The presets a run can be compared with: those for the same objective, in the size of the run's own."""
    size = (config.preset or "").rpartition("-")[2]
    size = size if size in ("tiny", "small") else "tiny"
    return [
        name
        for name, preset in PRESETS.items()
        if name.endswith(f"-{size}") and config.training.objective in preset.spec.objectives() and name != config.preset
    ]


def comparison_run(config: RunConfig, preset: str, same_parameters: bool = True) -> RunConfig:
    """The run to compare with: another architecture with its own recipe; everything else is as in ``config``.

    Args:
        preset: one of ``comparable_presets(config)``.
        same_parameters: choose its width (d_model) so that it has about as many parameters.

    Raises:
        SpecError: when there is no such preset, or it cannot be trained for this objective.
    """
    if preset not in PRESETS:
        raise SpecError(
            "There is no preset {preset!r}.", "There are: {known}.", preset=preset, known=", ".join(PRESETS)
        )
    model = PRESETS[preset].spec.replace(context_length=config.model.context_length, vocab_size=config.model.vocab_size)
    if same_parameters:
        model = match_parameters(model, sum(parameter_counts(config.model).values()))
    shared = {name: getattr(config.training, name) for name in SHARED_SETTINGS}
    training = recipe(preset, **shared, objective=config.training.objective)
    return RunConfig(
        name=f"{preset} against {config.name}",
        model=model,
        data=config.data,
        training=training,
        preset=preset,
    )


@lru_cache(maxsize=64)
def match_parameters(model: ModelSpec, parameters: int) -> ModelSpec:
    """The model in the width that brings it nearest to so many parameters (its layers and heads stay)."""
    fitting = []
    for width in WIDTHS:
        try:
            fitting.append(model.replace(d_model=width, d_mlp=None))
        except SpecError:  # the heads do not divide it
            continue
    return min(fitting, key=lambda spec: abs(sum(parameter_counts(spec).values()) - parameters), default=model)
