"""What a model wrote while it learned, as pages show it: a few hundred samples however many there are."""

import threading
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import msgspec

from playground.core import jsonl
from playground.runs import rows
from playground.runs.downsampled import EvenSample

MOST = 600
HEAVIEST = 4 << 20  # bytes of all lines that are kept
LONGEST_OPENING = 2000  # characters; a sample from elsewhere may have a million


def opening_text(samples: Sequence[jsonl.Row]) -> str:
    """What a box on a run holds before anybody types: what the model's last sample began with, or the beginning of that.

    Args:
        samples: those of the run, the oldest first: its prompts, questions, labelled texts, or texts with hidden tokens.
    """
    for row in reversed(samples):
        if row.get("examples"):
            return max((_question(example) for example in row["examples"]), key=len)[:LONGEST_OPENING]
        if row.get("tokens"):
            return "".join(row["tokens"][:40]).strip()[:LONGEST_OPENING]
        if row.get("prompt"):
            return row["prompt"][:LONGEST_OPENING]
    return "The "


def _question(example: jsonl.Row) -> str:
    """The question of a pair, the text of a label, or the words of tags."""
    return example.get("source") or example.get("text") or "".join(example.get("pieces", ()))


class RunSamples:
    """The samples of a run so far, the oldest first; all of them up to MOST, then evenly fewer."""

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / "samples.jsonl"
        self._cursor, self._lock = 0, threading.Lock()
        self._forget()
        self._rows: list[jsonl.Row] = []

    def _forget(self) -> None:
        self._kept = EvenSample(MOST, HEAVIEST, weigh=itemgetter(1))  # (sample, bytes)

    def update(self) -> bool:
        """Reads what is new; says whether anything is. A run resumed from an earlier step is read again."""
        with self._lock:
            changed = False
            for data, cursor, restarted in jsonl.parts(self.path, self._cursor):
                self._cursor = cursor
                if restarted:
                    self._forget()
                before = self._kept.count
                self._kept.add_all(list(rows.samples(data)))
                changed |= restarted or self._kept.count > before
            if changed:
                self._rows = [msgspec.to_builtins(sample) for sample, _ in self._kept.items()]
            return changed

    def rows(self) -> list[jsonl.Row]:
        """As dictionaries, not to be changed."""
        return self._rows
