"""Lines of text with their label before them, as fastText reads them: ``__label__good It was fine.``"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from playground.text.encodings import beginning, lines

MARK = "__label__"


def is_marked(path: Path, encoding: str) -> bool:
    """Whether every line begins with a label."""
    sample = [line for line in beginning(path, encoding) if line.strip()]
    return bool(sample) and all(line.lstrip("\ufeff ").startswith(MARK) for line in sample)


def marked_rows(path: Path, encoding: str) -> Callable[[], Iterator[dict[str, object]]]:
    """A call that reads the rows: "text", and "label", a list where there are several."""

    def rows() -> Iterator[dict[str, object]]:
        for line in lines(path, encoding, newlines=True):
            labels, text = [], line.strip()
            while text.startswith(MARK):
                label, *rest = text.split(maxsplit=1)
                labels.append(label.removeprefix(MARK).rstrip(","))
                text = "".join(rest)
            if labels or text:
                yield {"text": text, "label": labels[0] if len(labels) == 1 else labels}

    return rows
