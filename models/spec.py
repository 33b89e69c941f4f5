"""ModelSpec: every choice a person can make about a model, validated, JSON in and out."""

import dataclasses
import difflib
from dataclasses import dataclass
from typing import Any

from models.hyperparameters import (
    ARCHITECTURES,
    HEAD_ACTIVATIONS,
    MLPS,
    NONLINEARITIES,
    NORM_POSITIONS,
    NORMS,
    POSITIONS,
    Hyperparameters,
)
from models.parameter_counts import parameter_counts

_CHOICES = {
    "architecture": ARCHITECTURES,
    "nonlinearity": NONLINEARITIES,
    "mlp": MLPS,
    "norm": NORMS,
    "norm_position": NORM_POSITIONS,
    "position": POSITIONS,
    "head_activation": HEAD_ACTIVATIONS,
}
_COUNTS = {
    "d_model": "channels",
    "n_layers": "layers",
    "context_length": "tokens of context",
    "n_heads": "heads",
    "n_kv_heads": "key-value heads",
    "d_mlp": "MLP channels",
    "memory_span": "tokens of memory span",
}
_MOST = {
    "vocab_size": 10_000_000,
    "d_model": 1_000_000,
    "n_layers": 1_000,
    "context_length": 100_000_000,
    "n_heads": 100_000,
    "n_kv_heads": 100_000,
    "d_mlp": 10_000_000,
    "memory_span": 100_000_000,
}
MOST_PARAMETERS = 10**11  # more than any card holds; a size that multiplies to more is a slip, or made to do harm
_OPTIONAL = ("n_kv_heads", "d_mlp", "logit_softcap", "init_std", "memory_span")
_FLAGS = (
    "tie_embeddings",
    "bidirectional",
    "bias",
    "qk_norm",
    "zero_init",
    "embedding_norm",
    "head_transform",
)


class SpecError(ValueError):
    """A choice that cannot work, in the person's words.

    Attributes:
        message: what is wrong.
        hint: what to do about it; may be empty.

    Both are shortened to 1,500 characters: they hold what somebody typed or a file brought.
    """

    def __init__(self, message: str, hint: str = ""):
        self.message, self.hint = (
            text if len(text) <= 1500 else f"{text[:1120]} … {text[-375:]}" for text in (message, hint)
        )
        super().__init__(self.message)


@dataclass(frozen=True)
class ModelSpec(Hyperparameters):
    """Valid hyperparameters of one model. Two equal specs build models with the same parameters.

    Raises:
        SpecError: when a value has the wrong type, is out of range, or does not fit the others.
    """

    def __post_init__(self) -> None:
        _check_types(self)
        _check_ranges(self)
        _check_structure(self)
        _check_parameters(self)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ModelSpec":
        """The spec that `to_dict` wrote.

        Raises:
            SpecError: for unknown names (with the closest known one as a hint) or a missing architecture.
        """
        if not isinstance(data, dict):
            raise SpecError("A model is described by names and values.", "Give an object such as {...}.")
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = [str(name) for name in data if name not in known]
        if unknown:
            close = [match for name in unknown[:10] for match in difflib.get_close_matches(name[:100], known, n=1)]
            hint = (f"Did you mean {', '.join(close)}? " if close else "") + f"Known are {', '.join(known)}."
            raise SpecError(f"A model has no setting called {', '.join(unknown)}.", hint)
        if "architecture" not in data:
            raise SpecError("A model needs an architecture.", f"Choose one of {', '.join(ARCHITECTURES)}.")
        return cls(**data)

    def replace(self, **changes: Any) -> "ModelSpec":
        """This spec with some choices changed, validated again; unknown names are refused."""
        return self.from_dict({**self.to_dict(), **changes})


def _check_types(spec: ModelSpec) -> None:
    for name, choices in _CHOICES.items():
        value = getattr(spec, name)
        if value not in choices:
            close = difflib.get_close_matches(str(value)[:100], choices, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Choose one of {', '.join(choices)}."
            raise SpecError(f"{value!r} is not a choice for {name}; known are {', '.join(choices)}.", hint)
    for name in _FLAGS:
        if not isinstance(getattr(spec, name), bool):
            raise SpecError(f"{name} is either true or false, not {getattr(spec, name)!r}.")
    for name in ("vocab_size", *_COUNTS):
        value = getattr(spec, name)
        if not (value is None and name in _OPTIONAL) and (not isinstance(value, int) or isinstance(value, bool)):
            raise SpecError(f"{name} is a whole number, not {value!r}.")
    for name in ("dropout", "norm_eps", "rope_theta", "logit_softcap", "init_std", "memory_span"):
        value = getattr(spec, name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300  # NaN is not
        if not (value is None and name in _OPTIONAL) and not is_number:
            raise SpecError(f"{name} is a number, not {value!r}.")


def _check_ranges(spec: ModelSpec) -> None:
    if spec.vocab_size < 0:
        raise SpecError(f"A vocabulary cannot have {spec.vocab_size} tokens.", "0 means: take it from the tokenizer.")
    for name, words in _COUNTS.items():
        value = getattr(spec, name)
        if value is not None and value < 1:
            raise SpecError(f"A model cannot have {value} {words}; use at least 1.")
    for name, most in _MOST.items():  # a mistyped or damaged size is told before anything of it is built
        if (value := getattr(spec, name)) is not None and value > most:
            words = _COUNTS.get(name, "tokens of vocabulary")
            raise SpecError(f"A model cannot have more than {most:,} {words}.", f"Choose a smaller {name}.")
    if not 0 <= spec.dropout < 1:
        raise SpecError(f"Dropout {spec.dropout:g} is not a share; use 0 (off) up to, not including, 1.")
    for name in ("norm_eps", "rope_theta"):
        if getattr(spec, name) <= 0:
            raise SpecError(f"{name} must be above 0, not {getattr(spec, name):g}.")
    if spec.logit_softcap is not None and spec.logit_softcap <= 0:
        raise SpecError(f"Logits cannot be capped at {spec.logit_softcap:g}; use a cap above 0, or none.")
    if spec.init_std is not None and not 0 < spec.init_std <= 10:
        raise SpecError(f"First weights cannot have a spread of {spec.init_std:g}; use 0.02, or none.")


def _check_structure(spec: ModelSpec) -> None:
    if spec.chrono_max_span is not None and spec.architecture not in ("lstm", "gru"):
        raise SpecError(
            f"A memory span needs gates, and a model of kind {spec.architecture!r} has none.",
            "Leave memory_span empty, or choose lstm or gru.",
        )
    if spec.chrono_max_span is not None and not spec.bias:
        raise SpecError("A memory span is set by the biases of gates, and biases are off.", "Switch biases on.")
    if spec.is_recurrent:
        if spec.bidirectional and spec.d_model % 2:
            nearest = nearest_multiple(spec.d_model, 2)
            raise SpecError(f"{spec.d_model} channels do not divide into two reading directions; try {nearest}.")
        return
    if spec.bidirectional:
        raise SpecError(
            f"Only recurrent models can be made bidirectional; {spec.architecture!r} is a transformer.",
            "A transformer that reads both ways is the encoder.",
        )
    if spec.d_model % spec.n_heads:
        step = 2 * spec.n_heads if spec.position == "rotary" else spec.n_heads
        nearest = nearest_multiple(spec.d_model, step)
        raise SpecError(f"{spec.d_model} channels do not divide into {spec.n_heads} heads; try {nearest}.")
    if spec.n_heads % spec.kv_heads:
        shares = [n for n in range(1, spec.n_heads + 1) if spec.n_heads % n == 0]
        nearest = min(shares, key=lambda n: abs(n - spec.kv_heads))
        raise SpecError(f"{spec.n_heads} heads cannot share {spec.kv_heads} key-value heads evenly; try {nearest}.")
    if spec.position == "rotary" and spec.head_dim % 2:
        nearest = nearest_multiple(spec.d_model, 2 * spec.n_heads)
        raise SpecError(
            f"Rotary positions turn pairs of channels, but {spec.d_model} channels over {spec.n_heads} "
            f"heads leave {spec.head_dim} a head, an odd number; try {nearest} channels."
        )


def _check_parameters(spec: ModelSpec) -> None:
    count = sum(parameter_counts(spec).values())
    if count > MOST_PARAMETERS:
        raise SpecError(
            f"This model would have {count:,} parameters; at most {MOST_PARAMETERS:,} can be.", "Choose a smaller one."
        )


def nearest_multiple(value: int, step: int) -> int:
    """The multiple of `step`, at least one step, closest to `value`; the smaller of two as close."""
    below = max(value // step * step, step)
    return below if value - below <= below + step - value else below + step
