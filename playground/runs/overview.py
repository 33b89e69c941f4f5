"""Runs as rows of a table, and what sets several of them apart."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from models.parameter_counts import parameter_counts
from models.spec import ModelSpec, SpecError
from playground.core.errors import PlaygroundError
from playground.runs import gallery
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.integrity import problem_in_contents
from playground.runs.naming import flat
from playground.runs.store import Damaged
from playground.text import uploads


@dataclass(frozen=True)
class Summary:
    """One run in a table: only what run.json and status.json say, so that a hundred runs are read in a blink.

    ``parameters`` is None before the tokenizer is trained; ``created`` is in local time, None for shipped runs. ``problem``
    says what is wrong with one that cannot be opened.
    """

    id: str
    name: str
    state: str
    architecture: str
    text: str
    parameters: int | None
    step: int
    steps: int
    loss: float | None
    val_loss: float | None
    tokens_per_second: float | None
    created: datetime | None
    problem: str = ""


def summaries(runs: Iterable[RunFolder]) -> list[Summary]:
    """The runs in their order; damaged ones are passed over."""
    found = []
    for run in runs:
        try:
            found.append(summary(run))
        except (PlaygroundError, SpecError, KeyError, TypeError, ValueError):
            continue
    return found


def with_contents_checked(
    rows: Iterable[Summary], runs: Mapping[str, RunFolder], seconds: float = 0.3
) -> list[Summary]:
    """The rows, with what is wrong inside a run's tokenizer or weights.

    A run is read through once, and again only when its files change. What is not reached in ``seconds`` stays as it is: the
    next look goes on from there.
    """
    found, end = [], time.monotonic() + seconds
    for row in rows:
        wrong = None
        if not gallery.holds(runs[row.id]) and time.monotonic() < end:
            wrong = problem_in_contents(runs[row.id])
        found.append(replace(row, state="damaged", problem=wrong[0]) if wrong else row)
    return found


def summary_of_damaged(damaged: Damaged) -> Summary:
    """The row of a run that cannot be opened: what is wrong stands in it."""
    return Summary(
        id=damaged.run.id,
        name=damaged.run.title,
        state="damaged",
        architecture="",
        text="",
        parameters=None,
        step=0,
        steps=0,
        loss=None,
        val_loss=None,
        tokens_per_second=None,
        created=None,
        problem=damaged.message,
    )


def summary(run: RunFolder) -> Summary:
    about, status = run.about(), run.status()
    model = ModelSpec.from_dict(about["model"])
    return Summary(
        id=run.id,
        name=str(about.get("name") or run.id),
        state=status.state,
        architecture=model.architecture,
        text=_text(about),
        parameters=sum(parameter_counts(model).values()) if model.vocab_size else None,
        step=status.step,
        steps=status.steps or about["training"]["steps"],
        loss=status.loss,
        val_loss=status.val_loss,
        tokens_per_second=status.tokens_per_second,
        created=datetime.fromtimestamp(float(about["created"])) if about.get("created") else None,
    )


def _text(about: Mapping[str, Any]) -> str:
    """What the text is called that a run learns from: the one with the labels, where it learns labels."""
    labelled = (about.get("finetune") or {}).get("labelled")
    if labelled:
        return uploads.text_title(labelled.get("path"), labelled["dataset"])
    return uploads.text_title(about["data"].get("path"), about["data"]["corpus"])


def matches(summary: Summary, words: str) -> bool:
    """Whether every word is somewhere in the row."""
    row = " ".join(
        map(str, (summary.id, summary.name, summary.architecture, summary.text, summary.state, summary.problem))
    )
    return all(word in row.lower() for word in words.lower().split())


def settings(configs: list[RunConfig], only_different: bool = True) -> list[tuple[str, list[Any]]]:
    """Every setting by its dotted name, with each run's value; only those on which they differ, unless asked."""
    values = [_applying(config) for config in configs]
    names: dict[str, None] = {}
    for each in values:
        names |= dict.fromkeys(each)
    rows = [(name, [_plain(each.get(name)) for each in values]) for name in names]
    return [row for row in rows if not only_different or any(value != row[1][0] for value in row[1])]


_TRANSFORMERS = (
    "n_heads",
    "n_kv_heads",
    "mlp",
    "d_mlp",
    "norm",
    "norm_position",
    "norm_eps",
    "position",
    "rope_theta",
    "qk_norm",
)


def _applying(config: RunConfig) -> dict[str, Any]:
    """A run's settings; those that its architecture has no use for are None."""
    values = flat({k: v for k, v in config.to_dict().items() if k != "name"})
    useless = _TRANSFORMERS if config.model.is_recurrent else ()
    useless += ("bidirectional",) if config.model.has_attention else ()
    useless += ("nonlinearity",) if config.model.architecture != "rnn" else ()
    return {**values, **{f"model.{name}": None for name in useless}}


def _plain(value: Any) -> Any:
    return str(dict(value)) if isinstance(value, Mapping) else value
