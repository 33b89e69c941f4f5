"""Every model as a card: what it is called, what it is, how good it became. A model is read again only when its files change."""

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from playground.runs import gallery
from playground.runs.folder import RunFolder
from playground.runs.integrity import problem
from playground.runs.naming import is_id
from playground.runs.overview import summary
from playground.runs.store import RunStore
from playground.ui.colours import ARCHITECTURE, SPARE
from playground.ui.language import language, t
from playground.ui.live_runs import LIVE
from playground.ui.number_format import large
from playground.ui.run_picker import state_name
from playground.ui.titles import TITLES, readable

POINTS = 24
"""Of a card's curve."""
HIGHEST = 100
"""The top of a card's curve, in its own units."""
BLOCK = 4096
"""Bytes of a log that are read for a point of a curve."""
_LOSS = re.compile(rb'"loss": ?(\d+\.?\d*(?:e-?\d+)?)')
_ACCURACY = re.compile(rb'"val_accuracy": ?(\d+\.?\d*(?:e-?\d+)?)')
PATIENCE = 0.1
"""Seconds for cards that are new; those not reached are told without a curve, and have it at the next look."""
_WATCHED = ("run.json", "status.json", "metrics.jsonl", "checkpoint", "tokenizer.json")


@dataclass(frozen=True)
class Card:
    """What a card says of a model, in no language.

    Attributes:
        about: what its run.json says.
        accuracy: of one that gives labels, at its last evaluation.
        curve: its training loss, from 0 to `HIGHEST`.
        opens: the page that opens it where the open one cannot: "explore", "finetune", "train" or "generate".
    """

    id: str
    about: dict[str, Any]
    architecture: str
    parameters: int | None
    step: int
    state: str
    loss: float | None
    accuracy: float | None
    curve: tuple[int, ...]
    opens: str
    shipped: bool


@dataclass
class _Known:
    """A card as it was read, its curve if there was time for it, and what was told of it, by language."""

    stamps: tuple
    card: Card
    whole: bool
    told: dict[str, dict[str, Any]] = field(default_factory=dict)


_known: dict[str, _Known] = {}


def cards() -> list[tuple[Card, dict[str, Any]]]:
    """The models that ship with the app, then the person's own, the newest first; those first that suit the language.

    Returns:
        Each with what the drawer of models shows of it, in the person's language.
    """
    end, wanted = time.monotonic() + PATIENCE, language()
    own = sorted((_look(run, end) for run in _own()), key=lambda known: -float(known.card.about.get("created") or 0))
    shipped = [_look(run, end) for run in gallery.runs(wanted)]
    found = shipped + own
    for known in found:
        if wanted not in known.told:
            known.told[wanted] = _told(known.card)
    return [(known.card, known.told[wanted]) for known in found]


def _own() -> Iterator[RunFolder]:
    """The person's runs that can be opened."""
    for entry in os.scandir(RunStore().root):
        if is_id(entry.name):
            run = RunFolder(Path(entry.path))
            if problem(run) is None:
                yield run


def _look(run: RunFolder, end: float) -> _Known:
    """A run's card, as it was where none of its files has changed since and nobody trains it."""
    stamps = tuple(_stamp(run.path / name) for name in _WATCHED)
    known, late = _known.get(str(run.path)), time.monotonic() > end
    if known and known.stamps == stamps and known.card.state not in LIVE and (known.whole or late):
        return known
    if len(_known) > 5000:  # of homes and runs that are gone
        _known.clear()
    known = _known[str(run.path)] = _Known(stamps, _read(run, with_curve=not late), whole=not late)
    return known


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = os.stat(path)
    except OSError:
        return (0, 0)
    return about.st_size, about.st_mtime_ns


def _read(run: RunFolder, with_curve: bool) -> Card:
    about, row = run.about(), summary(run)
    labels = (about.get("finetune") or {}).get("labelled") is not None
    points, accuracy = _measured(run) if with_curve else ((), None)
    return Card(
        id=run.id,
        about={name: about.get(name) for name in ("name", "preset", "data", "training", "finetune", "created")},
        architecture=row.architecture,
        parameters=row.parameters,
        step=row.step,
        state=row.state,
        loss=row.val_loss if row.val_loss is not None else row.loss,
        accuracy=accuracy if labels else None,
        curve=points,
        opens=gallery.opens(run) or _opens(run, labels),
        shipped=gallery.holds(run),
    )


def _opens(run: RunFolder, labels: bool) -> str:
    if labels:
        return "finetune"
    return "explore" if run.checkpoints() and run.tokenizer_path.exists() else "train"


def _measured(run: RunFolder) -> tuple[tuple[int, ...], float | None]:
    """The curve of a run, and the accuracy at its last evaluation, from some blocks of its log: a sketch needs no more.

    So a run of a million steps costs no more than one of a thousand.
    """
    path = run.path / "metrics.jsonl"
    try:
        with open(path, "rb") as log:
            size = os.fstat(log.fileno()).st_size
            if size <= POINTS * BLOCK:
                blocks = [log.read()]
            else:
                blocks = [_block(log, n * (size - BLOCK) // (POINTS - 1)) for n in range(POINTS)]
    except OSError:
        return (), None
    losses = [[float(found) for found in _LOSS.findall(block)] for block in blocks]
    accuracies = _ACCURACY.findall(blocks[-1])
    # Of a whole log all values; of blocks one each, so that the parts are as long as the log's.
    values = losses[0] if len(blocks) == 1 else [sum(block) / len(block) for block in losses if block]
    return sketched(values), float(accuracies[-1]) if accuracies else None


def _block(log: BinaryIO, start: int) -> bytes:
    log.seek(start)
    return log.read(BLOCK)


def sketched(values: Sequence[float]) -> tuple[int, ...]:
    """A curve of at most `POINTS` points from 0 to `HIGHEST`, each the mean of its part; () where there is no curve."""
    n = min(POINTS, len(values))
    if n < 2:
        return ()
    parts = [values[i * len(values) // n : (i + 1) * len(values) // n] for i in range(n)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    return tuple(round(HIGHEST * (mean - low) / (high - low or 1)) for mean in means)


def _told(card: Card) -> dict[str, Any]:
    """A card in the person's language, as the drawer of models shows it."""
    name = str(card.about.get("name") or card.id)
    facts = [t("{n} parameters", n=large(card.parameters))] if card.parameters else []
    if card.step:
        facts.append(t("{n:,} steps", n=card.step))
    return {
        "id": card.id,
        "name": t(name) if card.shipped else readable(card.about) or card.id,
        "kind": t(TITLES.get(card.architecture, "")),
        "colour": ARCHITECTURE.get(card.architecture, SPARE[5]),
        "facts": facts,
        "score": score(card),
        "curve": list(card.curve),
        "state": "" if card.state == "finished" else state_name(card.state),
        "shipped": card.shipped,
    }


def score(card: Card) -> str:
    """How good it is: a loss with its unit, of one that gives labels its accuracy."""
    if card.accuracy is not None:
        return t("accuracy {share:.0%}", share=card.accuracy)
    if card.loss is None:
        return ""
    loss = f"{card.loss:.2f}" if card.loss >= 0.01 else "< 0.01"
    if card.opens == "finetune":
        return t("loss {loss} nats per label", loss=loss)
    return t("loss {loss} nats per token", loss=loss)
