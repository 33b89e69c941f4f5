"""Where the playground keeps what a person makes: runs, prepared data, the queue."""

import os
from pathlib import Path

from playground.errors import PlaygroundError


def home() -> Path:
    """The folder of everything a person made: ``$PLAYGROUND_HOME``, or ``~/.lm-playground``.

    Raises:
        PlaygroundError: when the folder cannot be made.
    """
    root = Path(os.environ.get("PLAYGROUND_HOME") or Path.home() / ".lm-playground").expanduser().absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlaygroundError(
            f"The folder {root} cannot be made: {error.strerror}.",
            "Set PLAYGROUND_HOME to a folder you may write to.",
        ) from error
    return root
