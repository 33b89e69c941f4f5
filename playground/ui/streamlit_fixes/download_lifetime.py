"""Files made ready when somebody asks for them, and how long they stay for the browser to fetch.

Streamlit 1.67 deletes such a file when any two runs of pages have ended since, also those of other people: in a class that
watches a training, several end every second, and the browser of a pupil on a slow network is told 404.
"""

import time

from streamlit.runtime import media_file_manager
from streamlit.runtime.media_file_manager import MediaFileKind, MediaFileMetadata

LIFETIME = 60.0
"""Seconds."""


class LastingFile(MediaFileMetadata):
    """What Streamlit knows of a file; it can be marked as no longer wanted only after a while."""

    def __init__(self, kind: MediaFileKind = MediaFileKind.MEDIA) -> None:
        super().__init__(kind)
        self.made = time.monotonic()

    def mark_for_delete(self) -> None:
        if time.monotonic() - self.made >= LIFETIME:
            super().mark_for_delete()


def apply() -> None:
    """From now on, files for download stay that long; safe to call at any time, and again."""
    media_file_manager.MediaFileMetadata = LastingFile
