"""Runs of every kind, watched as closely as can be (a look after every step, and every frame kept), or not at all."""

import contextlib
import itertools
import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from playground.runs import look
from playground.runs.frames import KINDS, Frame, from_bytes
from playground.runs.look import LookRequest
from playground.text.spec import TokenizerSpec
from playground.training import look as looker
from playground.training import worker
from tests.support.same_run import assert_same_run

EVERY_KIND = tuple(LookRequest(kind=kind, prompt="it is <mask>" if kind == "values" else "") for kind in KINDS)


@contextlib.contextmanager
def watched(requests: Sequence[LookRequest | None] = EVERY_KIND) -> Iterator[list[Frame]]:
    """Inside, runs are asked for one look after another, and the frames that they answer with are in the list."""
    frames: list[Frame] = []
    asked = itertools.cycle(requests)
    write, at_end = look.write_answer, looker.Looker.at_end

    def end(self, *arguments) -> None:
        """At the end the same is asked as after the last step, which has been answered."""
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(look, "asked", lambda run: self.due)
            at_end(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looker, "POLL_SECONDS", 0.0)
        patch.setattr(looker, "PROMPT_GAP", 0.0)
        patch.setattr(looker, "gap_after", lambda seconds: 0.0)
        patch.setattr(look, "asked", lambda run: next(asked))
        patch.setattr(looker.Looker, "at_end", end)
        patch.setattr(look, "write_answer", lambda run, data: (frames.append(from_bytes(data)), write(run, data)))
        yield frames


PAIRS = {"corpus": "task-addition", "options": {"digits": 2}, "tokenizer": TokenizerSpec("char", 300)}
RUNS = {
    "rnn": ({"architecture": "rnn", "n_layers": 2}, {}, {}),
    "lstm": ({"architecture": "lstm", "n_layers": 2}, {"gradient_accumulation_steps": 2}, {}),
    "gru": ({"architecture": "gru", "n_layers": 2}, {}, {}),
    "decoder": ({"architecture": "decoder"}, {"gradient_accumulation_steps": 2}, {}),
    "decoder of pairs": ({"architecture": "decoder"}, {"loss_on": "completion"}, PAIRS),
    "encoder": ({"architecture": "encoder"}, {"objective": "mlm"}, {}),
    "bidirectional lstm": ({"architecture": "lstm", "bidirectional": True}, {"objective": "mlm"}, {}),
    "encoder-decoder": ({"architecture": "encoder-decoder"}, {"objective": "seq2seq"}, PAIRS),
    "lstm-attention": ({"architecture": "lstm-attention"}, {"objective": "seq2seq"}, PAIRS),
}
STEPS = tuple(range(13))


def make(new_run, name: str, **training):
    model, objective, data = RUNS[name]
    return new_run({"dropout": 0.1, **model}, {**objective, **training}, data)


def chances() -> list:
    """The states of all random numbers that a program may draw."""
    of_numpy = np.random.get_state()
    return [torch.get_rng_state().tolist(), of_numpy[1].tolist(), of_numpy[2], random.getstate()]


def train(run) -> list:
    np.random.seed(3)
    random.seed(3)
    state = worker.run(run)
    assert state == "finished", run.status().message
    return chances()


def assert_bit_equal(one, other) -> None:
    assert_same_run(one, other)
    moments = [load_file(run.latest_checkpoint() / "optimizer.safetensors") for run in (one, other)]
    assert moments[0].keys() == moments[1].keys()
    for name, tensor in moments[0].items():
        assert torch.equal(tensor, moments[1][name]), name
