"""A text that was written here and is edited: the new version takes the place of the one before, unless a run names that."""

from pathlib import Path

from playground.core.paths import home
from playground.text import uploads


def rewrite(text: str, before: Path | None = None) -> uploads.Upload:
    """Keeps a text that a person wrote.

    Args:
        before: the version that it was made from, where it is this person's own draft; it goes when no run learns from it.

    Raises:
        PlaygroundError: as `uploads.write`; the version before stays then.
    """
    upload = uploads.write(text)
    if before is not None and before != upload.path and not is_used_by_a_run(before):
        uploads.discard(before)
    return upload


def is_used_by_a_run(path: Path) -> bool:
    """Whether a run, also one in the trash, names a kept file. Its folder is called by its content, which no other file is."""
    for place in ("runs", "trash"):
        for about in (home() / place).glob("*/run.json"):
            try:
                if path.parent.name.encode() in about.read_bytes():
                    return True
            except FileNotFoundError:
                continue
            except OSError:
                return True  # what cannot be read may name it
    return False
