"""A file for download stays long enough for a slow network, and not for ever."""

import pytest
from streamlit.runtime import media_file_manager
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from playground.ui.streamlit_fixes import download_lifetime


@pytest.fixture
def fetched(monkeypatch):
    """``fetched(runs)``: what the browser gets when so many runs of pages have ended since the file was made."""
    monkeypatch.setattr(media_file_manager, "_get_session_id", lambda: "a visitor")
    manager = MediaFileManager(MemoryMediaFileStorage("/media"))
    asked = manager.add_deferred(lambda: b"numbers", "text/csv", "1.0", "numbers.csv")
    made = manager.execute_deferred(asked)

    def after(runs: int):
        for _ in range(runs):
            manager.remove_orphaned_files()
        file = manager.read_file(made.rpartition("/")[2])
        return file and file.content

    return after


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(media_file_manager, "MediaFileMetadata", media_file_manager.MediaFileMetadata)
    download_lifetime.apply()


@pytest.fixture
def as_streamlit(monkeypatch):
    """Whoever has changed it in this process before."""
    monkeypatch.setattr(media_file_manager, "MediaFileMetadata", download_lifetime.MediaFileMetadata)


def test_it_stays_whoever_else_is_there(kept, fetched):
    assert fetched(1000) == b"numbers"


def test_it_goes_after_a_minute(kept, fetched, monkeypatch):
    later = download_lifetime.time.monotonic() + download_lifetime.LIFETIME
    monkeypatch.setattr(download_lifetime.time, "monotonic", lambda: later)
    assert fetched(2) is None


def test_streamlit_still_needs_it(as_streamlit, fetched):
    """The day this fails, Streamlit keeps them itself: `made_ready` can go."""
    assert fetched(0) == b"numbers"
    assert fetched(2) is None
