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
TURNS = 7
SECONDS = 3.0  # of a turn: six looks
WAYS = ("before", "unwatched", "watched")


@dataclass
class Turns:
    """Tokens per second of each turn, by the way of watching, and the looks that were answered meanwhile."""

    rates: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    looks: list[float] = field(default_factory=list)  # a second
    bytes: int = 0

    def ratio(self, one: str, other: str) -> float:
        """The median over turns of one way's speed divided by another's."""
        return statistics.median(a / b for a, b in zip(self.rates[one], self.rates[other], strict=True))


def measure() -> list[tuple]:
    looker_module.SHORTEST_GAP = looker_module.USUAL_GAP  # two a second, not four
    return [row for name in MODELS for row in _rows(name, _measured(name))]


def _rows(name: str, turns: Turns) -> list[tuple]:
    rate, looks = statistics.median(turns.rates["unwatched"]), statistics.median(turns.looks)
    quiet, watched = turns.ratio("unwatched", "before"), turns.ratio("watched", "unwatched")
    said = f"{watched:.3f} × unwatched, {looks:.1f} looks/s of {turns.bytes / 1e3:.0f} kB"
    return [
        (f"{name}, unwatched", f"{rate:,.0f} tokens/s, {quiet:.3f} × without the call", "", None),
        (f"{name}, watched", said, "≥ 0.95 ×", watched >= 0.95),
    ]


def _measured(name: str) -> Turns:
    trainer = _trainer(name)
    looker, turns = trainer.looker, Turns()
    for turn in range(TURNS + 1):
        for way in WAYS if turn % 2 else WAYS[::-1]:
            trainer.looker = None if way == "before" else looker
            rate, looks = _turn(trainer, way == "watched")
            if turn:  # the first warms up
                turns.rates[way].append(rate)
                if way == "watched":
                    turns.looks.append(looks)
    data = look.newest(trainer.folder)
    assert data is not None and from_bytes(data).tensors
    turns.bytes = len(data)
    return turns


def _turn(trainer: Trainer, watched: bool) -> tuple[float, float]:
    """Tokens and looks per second, of so many seconds of training."""
    answers, write = [], look.write_answer
    look.write_answer = lambda run, data: (answers.append(1), write(run, data))[1]
    (trainer.folder.path / look.REQUEST).unlink(missing_ok=True)
    asked, before, began = 0.0, trainer.progress.tokens, time.perf_counter()
    while (now := time.perf_counter()) - began < SECONDS:
        if watched and now - asked > 0.5:
            look.ask(trainer.folder, LookRequest())
            asked = now
        trainer.one_step()
        trainer.after_step()
    took = time.perf_counter() - began
    look.write_answer = write
    return (trainer.progress.tokens - before) / took, len(answers) / took


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
