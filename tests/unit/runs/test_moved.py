"""A home that was moved, renamed or copied: its runs still know their texts, as they were brought and as they were prepared."""

import io
import os
import shutil
from pathlib import Path

import pytest

from models.presets import PRESETS
from playground.core import paths
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.store import RunStore
from playground.text import uploads
from playground.text.files import open_file
from playground.text.spec import DataSpec

TEXT = b"What was brought before the home was moved. " * 40


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """A home with a run on a text, which then is somewhere else; gives the run there, and the name of its text's folder."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "before"))
    monkeypatch.delenv(paths.READ, raising=False)
    monkeypatch.setattr(paths, "_for_once", set())
    text = uploads.keep(io.BytesIO(TEXT), "mine.txt").path
    labels = uploads.keep(io.BytesIO(b"text,label\nGood one,good\nBad one,bad\n"), "labels.csv").path
    tuned = FineTuneSpec(task="classify", labelled=LabelledSpec("file", path=str(labels)))
    config = RunConfig("moved", PRESETS["gpt2-tiny"].spec, DataSpec("file", path=str(text)), TrainingSpec())
    config = config.replace(parent={"run": "another", "step": 1}, finetune=tuned)
    run = RunStore().create(config)
    data = paths.home() / "data" / "0123456789"
    data.mkdir(parents=True)
    run.write_config(config, data_folder=str(data))
    os.rename(tmp_path / "before", tmp_path / "after")
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "after"))
    return RunStore().get(run.id), text


def test_a_run_of_a_home_that_was_moved_finds_its_texts(moved, tmp_path):
    run, before = moved
    config = run.config()
    assert not before.exists() and config.data.path == str(
        tmp_path / "after" / "uploads" / before.parent.name / "mine.txt"
    )
    assert "".join(open_file(config.data).documents()) == TEXT.decode()
    labels = config.finetune.labelled.path
    assert Path(labels).read_text().startswith("text,label") and paths.may_read(labels)
    assert run.data_folder() == str(tmp_path / "after" / "data" / "0123456789") and Path(run.data_folder()).is_dir()


def test_a_run_of_a_home_that_was_copied_reads_the_copy(moved, tmp_path):
    run, before = moved
    shutil.copytree(tmp_path / "after", tmp_path / "before")
    assert run.config().data.path.startswith(str(tmp_path / "after"))
    assert run.data_folder().startswith(str(tmp_path / "after"))


@pytest.mark.parametrize(
    "path",
    [
        "/before/uploads/{}/other.txt",
        "/before/uploads/{}/.written",
        "/before/uploads/{}/..",
        "/before/uploads/{}",
        "/before/texts/{}/mine.txt",
        "/before/uploads/0123456789abcdef0123/mine.txt",
        "uploads/../{}/mine.txt",
        "/etc/passwd",
        "",
        "\0/uploads/x/y",
    ],
)
def test_any_other_path_stays_as_it_is(moved, path):
    path = path.format(moved[1].parent.name)
    assert paths.here(path) == path


@pytest.mark.parametrize("said", ["/etc", "/before/data/../../etc", "..", "/", "C:\\home\\data\\x", "data/.."])
def test_what_was_prepared_is_never_outside_the_home(moved, said):
    run, _ = moved
    run.write_config(run.config(), data_folder=said)
    assert Path(run.data_folder()).parent == paths.home() / "data"


@pytest.mark.parametrize("said", [None, "", 5, ["x"]])
def test_a_run_may_name_nothing_prepared(moved, said):
    run, _ = moved
    run.write_config(run.config(), data_folder=said)
    assert run.data_folder() is None
