"""Texts inside packages, found without importing them."""

import sys

import pytest

from playground.core.errors import PlaygroundError
from playground.text.package_files import lines_of, package_file


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose import would fail; its folder."""
    folder = tmp_path / "standin_texts"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_lines_are_read_without_importing(package):
    (package / "a.txt").write_text("  one \n\n\u4e8c\n", encoding="utf-8")
    assert list(lines_of("standin_texts", "a.txt")) == ["one", "二"]
    assert "standin_texts" not in sys.modules


def test_a_file_that_is_not_there_is_named(package):
    with pytest.raises(PlaygroundError, match="The text b.txt of standin_texts is not there"):
        package_file("standin_texts", "b.txt")
    with pytest.raises(PlaygroundError, match="of no_such_package is not there"):
        package_file("no_such_package", "b.txt")


def test_bytes_that_are_no_text_are_told(package):
    (package / "a.txt").write_bytes(b"fine\n\xff\xfe\xff\n")
    with pytest.raises(PlaygroundError, match="a.txt of standin_texts is damaged"):
        list(lines_of("standin_texts", "a.txt"))
