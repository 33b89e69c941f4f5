"""What the test of a fine-tuned run found, as ``results/report.json`` tells it; checked, as a run may come from anybody."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.rows import Count, Number, Share, Step, Text

NAME = "report.json"
LONGEST = 64 << 20  # bytes; 20,000 labels take 3 MB


class Test(Struct):
    n: Count
    loss: Number
    accuracy: Share
    macro_f1: Share


class Label(Struct):
    label: Text
    precision: Share
    recall: Share
    f1: Share
    support: Count


class Bin(Struct, rename={"start": "from"}):
    start: Share
    to: Share
    n: Count
    confidence: Share
    accuracy: Share


class Calibration(Struct):
    bins: list[Bin]
    error: Share


class Forgetting(Struct, omit_defaults=True):
    """The loss on the text before (nats per token), or why it is ``missing``."""

    missing: Text | None = None
    text: Text | None = None
    objective: Text | None = None
    before: Number | None = None
    after: Number | None = None

    def __post_init__(self) -> None:
        if self.missing is None and None in (self.text, self.before, self.after):
            raise ValueError("neither a loss nor why there is none")


class Report(Struct, omit_defaults=True):
    """All of the file. A run that learnt labels has ``test`` and what follows; one that learnt a text has not.

    ``confusion``: ``[labels, labels]``, rows are right labels; left out where there are many.
    """

    step: Step
    trained_parameters: Count
    parameters: Count
    training_seconds: Number
    task: Text = ""
    seconds: Number = 0.0
    forgetting: Forgetting | None = None
    used: Count | None = None
    test: Test | None = None
    by_label: list[Label] | None = None
    calibration: Calibration | None = None
    confusion: list[list[Annotated[int, Meta(ge=0, le=10**12)]]] | None = None

    def __post_init__(self) -> None:
        if self.test is not None and None in (self.used, self.by_label, self.calibration):
            raise ValueError("figures are missing")
        if self.confusion is not None and any(len(row) != len(self.confusion) for row in self.confusion):
            raise ValueError("the confusions are no square")


_decoder = msgspec.json.Decoder(Report)


def read_report(folder: RunFolder) -> dict[str, Any] | None:
    """What the test found, as in `Report`, with what is None left out; None before the end of training.

    Raises:
        PlaygroundError: when the file is damaged.
    """
    path = folder.path / "results" / NAME
    try:
        if path.stat().st_size > LONGEST:
            raise ValueError(f"{path.stat().st_size:,} bytes")
        return msgspec.to_builtins(_decoder.decode(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(folder) from error


def damaged(folder: RunFolder) -> PlaygroundError:
    """What to raise where the report is not of this run's labels, or not whole."""
    return PlaygroundError("The file {file} of {name} is damaged.", "Train the run again.", file=NAME, name=folder.name)
