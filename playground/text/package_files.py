"""Files inside an installed package: found without importing it, read as text, and never executed."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from playground.core.errors import PlaygroundError


def package_file(module: str, *parts: str) -> Path:
    """A file or folder inside a module, found without importing it.

    Raises:
        PlaygroundError: when it is not there.
    """
    found = importlib.util.find_spec(module)
    places = found.submodule_search_locations if found else None
    path = Path(next(iter(places)), *parts) if places else Path(module)
    if not path.exists():
        raise PlaygroundError(
            "The text {name} of {package} is not there.",
            "Install the package again.",
            name="/".join(parts),
            package=module,
        )
    return path


def lines_of(module: str, *parts: str) -> Iterator[str]:
    """The lines of a text file (UTF-8) inside a module, without blank ones and the spaces around them.

    Raises:
        PlaygroundError: when it is not there, or is no such text.
    """
    try:
        with open(package_file(module, *parts), encoding="utf-8") as file:
            yield from filter(None, (line.strip() for line in file))
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(module, *parts) from error


def unreadable(module: str, *parts: str) -> PlaygroundError:
    """The error for a file that is not what it was in the version that this app knows."""
    return PlaygroundError(
        "The text {name} of {package} is damaged, or from a version that this app does not know.",
        "Install the package again.",
        name="/".join(parts),
        package=module,
    )
