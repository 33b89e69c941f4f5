"""Lines of text with their label before them, as fastText reads them: ``__label__good It was fine.``"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from playground.text.encodings import beginning, lines
from playground.text.size_limits import MOST_VALUES, too_large

MARK = "__label__"
LABEL = re.compile(rf"{MARK}(\S*+)\s*+")


def is_marked(path: Path, encoding: str) -> bool:
    """Whether every line begins with a label."""
    sample = [line for line in beginning(path, encoding) if line.strip()]
    return bool(sample) and all(line.lstrip("\ufeff ").startswith(MARK) for line in sample)


def marked_rows(path: Path, encoding: str) -> Callable[[], Iterator[dict[str, object]]]:
    """A call that reads the rows: "text", and "label", a list where there are several."""

    def rows() -> Iterator[dict[str, object]]:
        for number, line in enumerate(lines(path, encoding, newlines=True), 1):
            line, begin, labels = line.strip(), 0, []
            while mark := LABEL.match(line, begin):
                labels.append(mark[1].rstrip(","))
                begin = mark.end()
                if len(labels) > MOST_VALUES:
                    raise too_large(path.name, line=number)
            text = line[begin:]
            if labels or text:
                yield {"text": text, "label": labels[0] if len(labels) == 1 else labels}

    return rows
