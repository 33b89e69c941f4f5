"""Names: ids that are safe as file names, and runs named by what makes them different."""

import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from playground.runs.config import RunConfig

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # without l, o, 0 and 1, which are read for one another

LABELS = {
    "model.architecture": "",
    "data.corpus": "",
    "training.objective": "",
    "training.optimizer": "",
    "model.d_model": "width",
    "model.n_layers": "layers",
    "model.n_heads": "heads",
    "model.n_kv_heads": "key-value heads",
    "model.context_length": "context",
    "training.batch_size": "batch",
    "data.tokenizer.kind": "",
    "data.tokenizer.vocab_size": "vocabulary",
}
"""What settings are called in a name; "" where the value says it all; others by their own last word."""

_DULL = (
    "name",
    "preset",
    "parent",
    "model.vocab_size",
    "training.checkpoint_seconds",
    "training.keep_steps",
    "training.snapshots",
    "training.threads",
)
"""What nobody names a run by; the number of tokens follows from the text and the tokenizer."""

_OF_THE_FILE = ("data.encoding", "data.text_column", "data.source_column", "data.target_column")
"""How a file is read: another text is not called by that as well."""


def is_id(text: str) -> bool:
    """Whether ``text`` can be a run's id: lower-case letters, digits and dashes; never a path."""
    return bool(_ID.fullmatch(text))


def slug(name: str) -> str:
    """The readable part of an id: "LSTM → GRU, lr × 3" is "lstm-gru-lr-3"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "run"


def new_id(name: str) -> str:
    """A readable id that no other run has, but for a chance of one in a billion."""
    return f"{slug(name)}-{''.join(secrets.choice(_LETTERS) for _ in range(6))}"


def numbered(name: str, taken: Iterable[str]) -> str:
    """``name``, or "name (2)", "name (3)" … where it is taken."""
    taken = set(taken)
    base = re.sub(r" \(\d+\)$", "", name)
    candidates = (name, *(f"{base} ({n})" for n in range(2, len(taken) + 3)))
    return next(candidate for candidate in candidates if candidate not in taken)


def difference(config: RunConfig, other: RunConfig, at_most: int = 4) -> str:
    """How ``config`` differs from ``other``: "lstm → gru, lr × 3"; "" when it does not."""
    new, old = _settings(config), _settings(other)
    changed = [key for key in {**old, **new} if new.get(key) != old.get(key) and key not in _DULL]
    if "data.corpus" in changed:
        changed = [key for key in changed if key != "data.path" and key not in _OF_THE_FILE]
    order = list(LABELS)
    changed.sort(key=lambda key: (order.index(key) if key in order else len(order), key))
    parts = [_change(key, old.get(key), new.get(key)) for key in changed[:at_most]]
    if len(changed) > at_most:
        parts.append(f"{len(changed) - at_most} more")
    return ", ".join(parts)


def name_for(config: RunConfig, other: RunConfig | None = None) -> str:
    """A name that a person would give: the difference from ``other``, or model and text when there is none.

    A run that continues another one's weights says so.
    """
    told = difference(config, other) if other else ""
    if not told:
        architecture = config.model.architecture
        told = f"{config.preset or architecture} on {_text(config)}"
        told = told.upper() if len(told) < 4 else told
    return told


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested values under dotted names: ``{"model": {"bias": True}}`` is ``{"model.bias": True}``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{before}{key}."))
        else:
            found[before + key] = value
    return found


def _settings(config: RunConfig) -> dict[str, Any]:
    """What may differ, the text by its name: nobody knows it by where it is kept."""
    return {**flat(config.to_dict()), "data.corpus": _text(config)}


def _text(config: RunConfig) -> str:
    return Path(config.data.path).stem if config.data.path else config.data.corpus.rpartition("/")[2]


def _change(key: str, old: Any, new: Any) -> str:
    if key == "data.path":
        return f"another “{Path(new or old).stem}”"
    label = LABELS.get(key, key.rpartition(".")[2].replace("_", " "))
    if isinstance(old, bool) or isinstance(new, bool):
        return label if new else f"no {label}"
    if factor := _factor(old, new):
        return f"{label} {factor}"
    return f"{label} {_say(old)} → {_say(new)}".strip()


def _factor(old: Any, new: Any) -> str:
    """ "× 3" or "÷ 3", where the numbers are such a whole multiple of at most 100."""
    if not all(isinstance(value, (int, float)) and value > 0 for value in (old, new)):
        return ""
    ratio, sign = (new / old, "×") if new > old else (old / new, "÷")
    whole = round(ratio)
    return f"{sign} {whole}" if 2 <= whole <= 100 and abs(ratio - whole) < 1e-6 * whole else ""


def _say(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
