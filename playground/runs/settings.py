"""``--set model.n_layers=6 training.lr=1e-3``: any choice of a spec from the command line, typed as the spec types it."""

import argparse
import types
import typing
from collections.abc import Collection
from dataclasses import fields, is_dataclass
from typing import Any

from models.spec import SpecError
from playground.core.errors import Message, meant, sentences
from playground.runs.config import RunConfig
from playground.runs.old_keys import present_name, present_value
from playground.runs.unused_settings import unused_settings


def parse_settings(pairs: list[str], specs: dict[str, type]) -> dict[str, dict[str, Any]]:
    """``["model.n_layers=6"]`` → ``{"model": {"n_layers": 6}}``. Old names of settings are read as their present ones.

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
            hint = Message("Write GROUP.NAME=VALUE with GROUP one of: {groups}.", groups=", ".join(specs))
            raise SpecError("'{pair}' is not a setting.", sentences(_near(name, specs), hint), pair=pair)
        hints, field = known_of(specs[group]), present_name(group, field)
        if field not in hints:
            hint = sentences(_near(name, specs), Message("It has: {names}.", names=", ".join(hints)))
            raise SpecError("{group} has no setting called {field!r}.", hint, group=group, field=field)
        if field in result[group]:
            raise SpecError("--set says {name} twice.", "Say it once.", name=name)
        result[group][field] = present_value(group, field, convert(text, hints[field], name))
    return result


def known_of(spec: type) -> dict[str, Any]:
    """The fields that a text can set, and their types: those that are specs of their own are left out."""
    hints = typing.get_type_hints(spec)
    whole = lambda kind: any(map(is_dataclass, (kind, *typing.get_args(kind))))
    return {f.name: hints[f.name] for f in fields(spec) if not whole(hints[f.name])}


def _near(name: str, specs: dict[str, type]) -> str:
    """The beginning of a hint: the same field of another group, else the nearest name of all."""
    known = [f"{group}.{field}" for group, spec in specs.items() for field in known_of(spec)]
    same = [full for full in known if full.partition(".")[2] == name.rpartition(".")[2]]
    return Message("Did you mean {close}?", close=" or ".join(same)) if same else meant([name], known)


def check_read(changes: dict[str, dict[str, Any]], config: RunConfig, methods: Collection[str] = ()) -> None:
    """Refuses what ``--set`` says and this run would pass over in silence.

    Args:
        methods: other ways that are trained beside it.

    Raises:
        SpecError: with the names, and where they are read.
    """
    said = {f"{group}.{field}" for group, values in changes.items() for field in values}
    if found := {name: where for name, where in unused_settings(config, methods).items() if name in said}:
        told = "; ".join(f"{name} is read {where}" for name, where in found.items())
        raise SpecError("Nothing here reads {found}.", "Leave it out: {options}.", found=", ".join(found), options=told)


def check_own(pairs: list[str], options: dict[str, str]) -> None:
    """Refuses to set what an option of its own says.

    Raises:
        SpecError: with the name of the option.
    """
    for pair in pairs:
        if (name := pair.partition("=")[0]) in options:
            raise SpecError("{name} has an option of its own.", "Use {options}.", name=name, options=options[name])


def given(options: argparse.Namespace, *names: str) -> list[str]:
    """Those of the options that were written, as they are written; their defaults are None, False or []."""
    said = [name for name in names if not any(getattr(options, name) is nothing for nothing in (None, False))]
    return [flag(options, name) for name in said if getattr(options, name) != []]


WRITTEN = " as written"  # follows the name of an option whose flag was written as an earlier version had it


def flag(options: argparse.Namespace, name: str) -> str:
    """The flag of an option as the person wrote it."""
    return getattr(options, f"{name}{WRITTEN}", f"--{name.replace('_', '-')}")


TWICE = {  # fields that --set can change and that have an option of their own
    "training": ("objective", "steps", "lr", "batch_size", "seed", "device"),
    "data": ("text_column", "source_column", "target_column", "encoding", "template"),
    "labelled": ("text_column", "label_column", "encoding", "train_fraction"),
    "finetune": ("rank", "target_modules", "last_layers"),
}


def check_once(options: argparse.Namespace, changes: dict[str, dict[str, Any]]) -> None:
    """Refuses a value that an option and ``--set`` both give: one of them would be passed over in silence.

    Raises:
        SpecError: with the names of both.
    """
    for group, names in TWICE.items():
        for name in names:
            if name in changes.get(group, ()) and hasattr(options, name) and (option := given(options, name)):
                raise SpecError(
                    "{option} and --set {group}.{name} say the same.",
                    "Give one of the two.",
                    option=option[0],
                    group=group,
                    name=name,
                )


def convert(text: str, kind: Any, name: str) -> Any:
    """The text as the type that the field has; ``none`` where None is allowed."""
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if type(None) in options and text.lower() in ("none", ""):
        return None
    kind = next(option for option in options if option is not type(None))
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        if kind is int:
            return int(text.replace("_", "").replace(",", ""))
        if kind is float:
            return float(text)
        if typing.get_origin(kind) is tuple:
            inner = typing.get_args(kind)[0]
            return tuple(inner(part.strip()) for part in text.split(",") if part.strip())
        return text
    except (ValueError, KeyError) as error:
        words = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "a list like 1,2,3")
        raise SpecError("{name} must be {words}, not {text!r}.", name=name, words=words, text=text) from error


def loose(text: str) -> Any:
    """A number where the text is one, else the text: for the options of tasks, which check themselves."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
