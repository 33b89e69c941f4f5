"""Training speed with and without somebody looking into the model: the same trainer in three ways, in turns.

Before: a trainer without the call. Unwatched: as every run is. Watched: two looks a second, as the page asks for them.
"""

import statistics
import time
from dataclasses import dataclass, field

from playground.runs import gallery, look
from playground.runs.config import RunConfig
from playground.runs.frames import from_bytes
from playground.runs.look import LookRequest
from playground.runs.store import RunStore
from playground.text.prepare import prepare
from playground.training import look as looker_module
from playground.training.device import choose_device
from playground.training.trainer import Trainer

MODELS = ("stories-decoder", "bible-lstm", "bible-encoder", "dates", "dates-lstm")
TURNS = 31  # short and many, so that what else runs on the machine meets all ways alike
SECONDS = 0.5  # of training in a turn: with one look in each, two a second
WAYS = ("before", "unwatched", "watched")


@dataclass
class Turns:
    """Seconds of each turn by the way of watching, all of the same number of steps, and what a look takes.

    Attributes:
        seconds: of the turns.
        tokens: of each turn.
        looks: seconds of each look.
        size: of a frame, in bytes.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    tokens: int = 0
    looks: list[float] = field(default_factory=list)
    size: int = 0

    def speed(self, one: str, other: str) -> float:
        """The median over turns of one way's speed divided by another's."""
        return statistics.median(b / a for a, b in zip(self.seconds[one], self.seconds[other], strict=True))


def measure() -> list[tuple]:
    """Two rows for each model: what the call costs a run that nobody watches, and what two looks a second cost."""
    return [row for name in MODELS for row in _rows(name, _measured(name))]


def _rows(name: str, turns: Turns) -> list[tuple]:
    rate = turns.tokens / statistics.median(turns.seconds["unwatched"])
    quiet, watched = turns.speed("unwatched", "before"), turns.speed("watched", "unwatched")
    said = (
        f"{watched:.3f} × unwatched; a look: {statistics.median(turns.looks) * 1e3:.1f} ms, {turns.size / 1e3:.0f} kB"
    )
    return [
        (f"{name}, unwatched", f"{rate:,.0f} tokens/s, {quiet:.3f} × without the call", "", None),
        (f"{name}, watched twice a second", said, "≥ 0.95 ×", watched >= 0.95),
    ]


def _measured(name: str) -> Turns:
    looker_module.gap_after = lambda seconds: 1e6  # one look in a turn, at its first step
    trainer = _trainer(name)
    looker, turns = trainer.looker, Turns()
    assert looker is not None
    steps = max(1, round(SECONDS / min(_seconds(trainer, 1) for _ in range(12))))
    for turn in range(TURNS):
        before = trainer.progress.tokens
        for way in WAYS if turn % 2 else WAYS[::-1]:
            trainer.looker = None if way == "before" else looker
            (trainer.folder.path / look.REQUEST).unlink(missing_ok=True)
            looker.next_poll = looker.next_answer = 0.0
            if way == "watched":
                look.ask(trainer.folder, LookRequest())
            turns.seconds[way].append(_seconds(trainer, steps))
        turns.tokens = (trainer.progress.tokens - before) // len(WAYS)
    trainer.looker = looker
    for _ in range(TURNS):
        look.ask(trainer.folder, LookRequest())
        looker.before_step(trainer.progress.step, last=True)
        began = time.perf_counter()
        trainer.look()
        turns.looks.append(time.perf_counter() - began)
    data = look.newest(trainer.folder)
    assert data is not None and from_bytes(data).tensors
    turns.size = len(data)
    return turns


def _seconds(trainer: Trainer, steps: int) -> float:
    """What so many steps of the trainer take, its journal written as in a run."""
    began = time.perf_counter()
    for _ in range(steps):
        trainer.one_step()
        trainer.after_step()
    return time.perf_counter() - began


def _trainer(name: str) -> Trainer:
    """A new run with the settings of a shipped model."""
    shipped = RunConfig.from_dict(gallery.get(name).about())
    prepared = prepare(shipped.data)
    endless = {"steps": 10**7, "eval_every": 10**7, "sample_every": 0, "checkpoint_seconds": 1e6, "device": "cpu"}
    config = shipped.replace(
        model=shipped.model.replace(vocab_size=prepared.tokenizer.size),
        training=shipped.training.replace(**endless, keep_steps=()),
    )
    folder = RunStore().create(config)
    folder.update_status(state="running")
    trainer = Trainer(folder, config, prepared, choose_device(config.training))
    trainer.model.train()
    return trainer
