"""``--set model.n_layers=6 training.lr=1e-3``: any choice of a spec from the command line, typed as the spec types it."""

import argparse
import types
import typing
from dataclasses import fields, is_dataclass
from typing import Any

from models.spec import SpecError


def parse_settings(pairs: list[str], specs: dict[str, type]) -> dict[str, dict[str, Any]]:
    """``["model.n_layers=6"]`` → ``{"model": {"n_layers": 6}}``.

    Args:
        pairs: what the person wrote.
        specs: the dataclass behind each group name.

    Raises:
        SpecError: for a group or field that is not there, or a value of the wrong type.
    """
    result: dict[str, dict[str, Any]] = {group: {} for group in specs}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        group, _, field = name.partition(".")
        if not equals or group not in specs:
            raise SpecError(
                f"'{pair}' is not a setting.",
                f"Write GROUP.NAME=VALUE with GROUP one of: {', '.join(specs)}.",
            )
        hints = typing.get_type_hints(specs[group])
        if field not in {f.name for f in fields(specs[group])} or is_dataclass(hints[field]):
            known = ", ".join(f.name for f in fields(specs[group]) if not is_dataclass(hints[f.name]))
            raise SpecError(f"{group} has no setting called {field!r}.", f"It has: {known}.")
        result[group][field] = convert(text, hints[field], name)
    return result


def given(options: argparse.Namespace, *names: str) -> list[str]:
    """Those of the options that were written, as they are written; their defaults are None, False or []."""
    said = [name for name in names if not any(getattr(options, name) is nothing for nothing in (None, False))]
    return [f"--{name.replace('_', '-')}" for name in said if getattr(options, name) != []]


TWICE = {  # fields that --set can change and that have an option of their own
    "training": ("objective", "steps", "lr", "batch_size", "seed", "device"),
    "data": ("text_column", "source_column", "target_column", "encoding", "template"),
    "labelled": ("text_column", "label_column", "encoding", "share"),
    "finetune": ("rank", "matrices", "last_layers"),
}


def check_once(options: argparse.Namespace, changes: dict[str, dict[str, Any]]) -> None:
    """Refuses a value that an option and ``--set`` both give: one of them would be passed over in silence.

    Raises:
        SpecError: with the names of both.
    """
    for group, names in TWICE.items():
        for name in names:
            if name in changes.get(group, ()) and hasattr(options, name) and (option := given(options, name)):
                raise SpecError(f"{option[0]} and --set {group}.{name} say the same.", "Give one of the two.")


def convert(text: str, kind: Any, name: str) -> Any:
    """The text as the type that the field has; ``none`` where None is allowed."""
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if type(None) in options and text.lower() in ("none", ""):
        return None
    kind = next(option for option in options if option is not type(None))
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
        if kind is int:
            return int(text.replace("_", "").replace(",", ""))
        if kind is float:
            return float(text)
        if typing.get_origin(kind) is tuple:
            inner = typing.get_args(kind)[0]
            return tuple(inner(part.strip()) for part in text.split(",") if part.strip())
        return text
    except (ValueError, KeyError) as error:
        words = {bool: "true or false", int: "a whole number", float: "a number"}.get(
            kind, "a list like 1,2,3"
        )
        raise SpecError(f"{name} must be {words}, not {text!r}.") from error


def loose(text: str) -> Any:
    """A number where the text is one, else the text: for the options of tasks, which check themselves."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
