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
from models.message import Message, UserError, sentences
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
    "chrono_max_span": "tokens of chrono span",
}
_MOST = {
    "vocab_size": 10_000_000,
    "d_model": 1_000_000,
    "n_layers": 1_000,
    "context_length": 100_000_000,
    "n_heads": 100_000,
    "n_kv_heads": 100_000,
    "d_mlp": 10_000_000,
    "chrono_max_span": 100_000_000,
}
MOST_PARAMETERS = 10**11  # more than any card holds; a size that multiplies to more is a slip, or made to do harm
_OPTIONAL = ("n_kv_heads", "d_mlp", "logit_softcap", "init_std", "chrono_max_span")
_FLAGS = (
    "tie_embeddings",
    "bidirectional",
    "bias",
    "qk_norm",
    "zero_init",
    "embedding_norm",
    "head_transform",
)


class SpecError(UserError, ValueError):
    """A choice that cannot work."""


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
        """All choices by name, as JSON can hold them; `from_dict` reads them."""
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
            near = Message("Did you mean {close}?", close=", ".join(close)) if close else ""
            hint = sentences(near, Message("Known are {known}.", known=", ".join(known)))
            raise SpecError("A model has no setting called {unknown}.", hint, unknown=", ".join(unknown))
        if "architecture" not in data:
            raise SpecError("A model needs an architecture.", "Choose one of {known}.", known=", ".join(ARCHITECTURES))
        return cls(**data)

    def replace(self, **changes: Any) -> "ModelSpec":
        """This spec with some choices changed, validated again; unknown names are refused."""
        return self.from_dict({**self.to_dict(), **changes})


def _check_types(spec: ModelSpec) -> None:
    for name, choices in _CHOICES.items():
        value = getattr(spec, name)
        if value not in choices:
            close = difflib.get_close_matches(str(value)[:100], choices, n=1)
            hint = (
                Message("Did you mean {close}?", close=close[0])
                if close
                else Message("Choose one of {known}.", known=", ".join(choices))
            )
            raise SpecError(
                "{value!r} is not a choice for {name}; known are {choices}.",
                hint,
                value=value,
                name=name,
                choices=", ".join(choices),
            )
    for name in _FLAGS:
        if not isinstance(getattr(spec, name), bool):
            raise SpecError("{name} is either true or false, not {value!r}.", name=name, value=getattr(spec, name))
    for name in ("vocab_size", *_COUNTS):
        value = getattr(spec, name)
        if not (value is None and name in _OPTIONAL) and (not isinstance(value, int) or isinstance(value, bool)):
            raise SpecError("{name} is a whole number, not {value!r}.", name=name, value=value)
    for name in ("dropout", "norm_eps", "rope_theta", "logit_softcap", "init_std", "chrono_max_span"):
        value = getattr(spec, name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300  # NaN is not
        if not (value is None and name in _OPTIONAL) and not is_number:
            raise SpecError("{name} is a number, not {value!r}.", name=name, value=value)


def _check_ranges(spec: ModelSpec) -> None:
    if spec.vocab_size < 0:
        raise SpecError(
            "A vocabulary cannot have {vocab_size} tokens.",
            "0 means: take it from the tokenizer.",
            vocab_size=spec.vocab_size,
        )
    for name, words in _COUNTS.items():
        value = getattr(spec, name)
        if value is not None and value < 1:
            raise SpecError("A model cannot have {value} {words}; use at least 1.", value=value, words=words)
    for name, most in _MOST.items():  # a mistyped or damaged size is told before anything of it is built
        if (value := getattr(spec, name)) is not None and value > most:
            words = _COUNTS.get(name, "tokens of vocabulary")
            raise SpecError(
                "A model cannot have more than {most:,} {words}.",
                "Choose a smaller {name}.",
                most=most,
                words=words,
                name=name,
            )
    if not 0 <= spec.dropout < 1:
        raise SpecError("Dropout must be at least 0 (off) and below 1, not {dropout:g}.", dropout=spec.dropout)
    for name in ("norm_eps", "rope_theta"):
        if getattr(spec, name) <= 0:
            raise SpecError("{name} must be above 0, not {value:g}.", name=name, value=getattr(spec, name))
    if spec.logit_softcap is not None and spec.logit_softcap <= 0:
        raise SpecError(
            "Logits cannot be capped at {logit_softcap:g}; use a cap above 0, or none.",
            logit_softcap=spec.logit_softcap,
        )
    if spec.init_std is not None and not 0 < spec.init_std <= 10:
        raise SpecError(
            "The standard deviation of the initial weights must be above 0 and at most 10, not {init_std:g}.",
            init_std=spec.init_std,
        )


def _check_structure(spec: ModelSpec) -> None:
    if spec.chrono_max_span is not None and spec.architecture not in ("lstm", "gru", "lstm-attention"):
        raise SpecError(
            "Chrono initialisation needs gates; a model of kind {kind!r} has none.",
            "Leave chrono_max_span empty, or choose lstm or gru.",
            kind=spec.architecture,
        )
    if spec.chrono_max_span is not None and not spec.bias:
        raise SpecError("Chrono initialisation sets the biases of the gates, and biases are off.", "Switch biases on.")
    if spec.reads_pairs and spec.is_recurrent and spec.bidirectional:
        raise SpecError(
            "The decoder of an LSTM with attention writes from left to right; its encoder reads both ways already.",
            "Turn bidirectional off.",
        )
    if spec.is_recurrent:
        if (spec.bidirectional or spec.reads_pairs) and spec.d_model % 2:
            nearest = nearest_multiple(spec.d_model, 2)
            raise SpecError(
                "{d_model} channels do not divide into two reading directions; try {nearest}.",
                d_model=spec.d_model,
                nearest=nearest,
            )
        return
    if spec.bidirectional:
        raise SpecError(
            "Only recurrent models can be made bidirectional; {architecture!r} is a transformer.",
            "A transformer that reads both ways is the encoder.",
            architecture=spec.architecture,
        )
    if spec.d_model % spec.n_heads:
        step = 2 * spec.n_heads if spec.position == "rotary" else spec.n_heads
        nearest = nearest_multiple(spec.d_model, step)
        raise SpecError(
            "{d_model} channels do not divide into {n_heads} heads; try {nearest}.",
            d_model=spec.d_model,
            n_heads=spec.n_heads,
            nearest=nearest,
        )
    if spec.n_heads % spec.kv_heads:
        shares = [n for n in range(1, spec.n_heads + 1) if spec.n_heads % n == 0]
        nearest = min(shares, key=lambda n: abs(n - spec.kv_heads))
        raise SpecError(
            "{n_heads} heads cannot share {kv_heads} key-value heads evenly; try {nearest}.",
            n_heads=spec.n_heads,
            kv_heads=spec.kv_heads,
            nearest=nearest,
        )
    if spec.position == "rotary" and spec.head_dim % 2:
        nearest = nearest_multiple(spec.d_model, 2 * spec.n_heads)
        raise SpecError(
            "Rotary positions rotate pairs of channels, but {d_model} channels over {n_heads} heads leave {head_dim} per head, an odd number; try {nearest} channels.",
            d_model=spec.d_model,
            n_heads=spec.n_heads,
            head_dim=spec.head_dim,
            nearest=nearest,
        )


def _check_parameters(spec: ModelSpec) -> None:
    count = sum(parameter_counts(spec).values())
    if count > MOST_PARAMETERS:
        raise SpecError(
            "This model would have {count:,} parameters; at most {most_parameters:,} can be.",
            "Choose a smaller one.",
            count=count,
            most_parameters=MOST_PARAMETERS,
        )


def nearest_multiple(value: int, step: int) -> int:
    """The multiple of `step`, at least one step, closest to `value`; the smaller of two as close."""
    below = max(value // step * step, step)
    return below if value - below <= below + step - value else below + step
