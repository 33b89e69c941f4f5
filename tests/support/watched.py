"""A run that is watched as closely as can be: a look after every step, and every frame kept."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence

import pytest

from playground.runs import look
from playground.runs.frames import KINDS, Frame, from_bytes
from playground.runs.look import LookRequest
from playground.training import look as looker

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
