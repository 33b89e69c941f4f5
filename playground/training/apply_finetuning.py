"""What of a model may change when it is fine-tuned: a new head, frozen weights, LoRA, slower lower layers."""

import re
from collections.abc import Callable

import torch
from torch import nn

from models.factory import build
from models.heads import ClassificationHead, ModelWithHead, TaggingHead
from models.language_model import AnyModel, LanguageModel
from models.lora import add_lora, is_adapter
from models.spec import ModelSpec, SpecError
from playground.runs.config import RunConfig
from playground.runs.finetuning import FineTuneSpec

_LAYER = re.compile(r"(?:^|\.)(?:(encoder|decoder)\.)?layers\.(\d+)\.")
_RECURRENT = re.compile(r"(?:^|\.)recurrent\.\w+_l(\d+)")


def apply_finetuning(language_model: LanguageModel, config: RunConfig, n_labels: int = 0) -> AnyModel:
    """The model as it is fine-tuned: with the task's head, and only what the method allows left to train.

    Args:
        language_model: with its parent's weights, or fresh ones; changed in place.
        n_labels: for a task with labels, how many there are.

    Raises:
        SpecError: when the method cannot be used with this model.
    """
    model: AnyModel = language_model
    tuned = config.finetune
    if tuned is None:
        return model
    if tuned.reads_labels:
        model = ModelWithHead(language_model, _head(config.model, tuned, n_labels))
        unused: nn.Module = language_model.get_submodule("head")  # the language model's own: no loss reads it
        unused.requires_grad_(False)
    if tuned.method == "lora":
        _freeze(model, lambda name: False)
        add_lora(model, tuned.rank, tuned.alpha, tuned.target_modules)
        _unfreeze(model, lambda name: is_adapter(name) or (tuned.reads_labels and name.startswith("head.")))
    elif tuned.method == "head":
        _freeze(model, lambda name: name.startswith("head."))
        if not any(p.requires_grad for p in model.parameters()):
            raise SpecError(
                "This model's output matrix is its token table: it has no head of its own to train.",
                "Train the last layers, or use LoRA.",
            )
    elif tuned.method == "last":
        _check_layers(config.model, tuned)
        least = head_depth(config.model) - tuned.last_layers
        _freeze(model, lambda name: depth(name, config.model) >= least)
    return model


def _head(spec: ModelSpec, tuned: FineTuneSpec, n_labels: int) -> nn.Module:
    if tuned.task == "tag":
        return TaggingHead(spec.d_model, n_labels, tuned.head_dropout)
    return ClassificationHead(spec.d_model, n_labels, tuned.head_dropout, pooling_of(spec, tuned))


def pooling_of(spec: ModelSpec, tuned: FineTuneSpec) -> str:
    """The mean for models that read both ways, the last token for those that read forward, unless chosen."""
    if tuned.pooling != "auto":
        return tuned.pooling
    return "mean" if reads_both_ways(spec) else "last"


def reads_both_ways(spec: ModelSpec) -> bool:
    """Whether a position sees what comes after it (encoders and bidirectional recurrent models)."""
    return spec.architecture == "encoder" or spec.bidirectional


def _freeze(model: nn.Module, but: Callable[[str], bool]) -> None:
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad and but(name))


def _unfreeze(model: nn.Module, which: Callable[[str], bool]) -> None:
    for name, parameter in model.named_parameters():
        if which(name):
            parameter.requires_grad_(True)


def _check_layers(spec: ModelSpec, tuned: FineTuneSpec) -> None:
    there = head_depth(spec) - 1
    if tuned.last_layers > there:
        raise SpecError(
            "The last {layers} layers cannot be trained: the number of layers is {there}.",
            "Choose 1 to {there}, or train all weights.",
            layers=tuned.last_layers,
            there=there,
        )


def head_depth(spec: ModelSpec) -> int:
    """The depth of the head. Embeddings have depth 0, layers 1, 2, …; an encoder's layers are below the decoder's."""
    return (2 if spec.reads_pairs else 1) * spec.n_layers + 1


def depth(name: str, spec: ModelSpec) -> int:
    """How high in the model a parameter is."""
    if found := _LAYER.search(name):
        below = spec.n_layers if found[1] == "decoder" else 0
        return below + int(found[2]) + 1
    if spec.architecture == "lstm-attention" and "decoder." in name:  # the alignment belongs to the first of its layers
        found = _RECURRENT.search(name)
        return spec.n_layers + 1 + (int(found[1]) + 1 if found else spec.n_layers - 1 if ".output." in name else 0)
    if found := _RECURRENT.search(name):
        return int(found[1]) + 1
    if "encoder.norm" in name:
        return spec.n_layers
    return 0 if "embedding." in name else head_depth(spec)


def lr_multipliers(config: RunConfig) -> Callable[[str], float] | None:
    """Discriminative learning rates (Howard & Ruder 2018): a parameter's factor by its name; None where all are 1."""
    tuned = config.finetune
    if tuned is None or tuned.layer_decay == 1:
        return None
    top = head_depth(config.model)
    return lambda name: tuned.layer_decay ** (top - depth(name, config.model))


def trained_parameters(config: RunConfig, n_labels: int = 0) -> tuple[int, int]:
    """How many parameters the method trains, and how many the model has; nothing is allocated.

    Raises:
        SpecError: as `adapted`.
    """
    with torch.device("meta"):
        model = apply_finetuning(build(config.model), config, n_labels)
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, trained in counts if trained), sum(n for n, _ in counts)
