"""What may be said to a terminal: letters. A terminal obeys what else stands in names, labels and texts of strangers."""

import contextlib
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO

TURNING = "\u202a-\u202e\u2066-\u2069"
"""In a regular expression: the orders to write from right to left, which turn what stands behind a text too."""

ORDERS = re.compile(rf"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{TURNING}]")
"""All control characters but tab and line breaks; and those that turn the direction of a text."""


class Letters:
    """A stream that writes U+FFFD in place of each order to a terminal, also into a file, which somebody may show on one.

    Args:
        stream: where the letters go; all but writing is its own.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        return self.stream.write(ORDERS.sub("\ufffd", text))

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def letters_only() -> Iterator[None]:
    """Inside, whatever is printed is letters; but for `restart_line`."""
    out: Any = Letters(sys.stdout)  # Any: it passes on what else a stream can do
    err: Any = Letters(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield


class Formatter(logging.Formatter):
    """Lines of a log as letters: what went wrong quotes files and names of strangers."""

    def format(self, record: logging.LogRecord) -> str:
        return ORDERS.sub("\ufffd", super().format(record))


def log_letters() -> None:
    """The app's log goes to the terminal of the server, as letters."""
    log = logging.getLogger("playground")
    if not any(isinstance(handler.formatter, Formatter) for handler in log.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(Formatter())
        log.addHandler(handler)


def in_line(text: str) -> str:
    """A label or a sentence that others wrote, on one line: it cannot look like the next one."""
    return " ".join(text.split())


def restart_line(stream: TextIO) -> None:
    """On a terminal the line at hand is cleared, to be written anew; elsewhere nothing happens."""
    if stream.isatty():
        getattr(stream, "stream", stream).write("\r\033[K")
