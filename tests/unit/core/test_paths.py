"""Which files may be read: those that were brought, and those that the home's owner named; wherever links and ``..`` lead."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from playground.cli import main
from playground.core import paths
from playground.core.errors import PlaygroundError
from playground.core.paths import grant, may_read, readable
from playground.labelled.table import is_table, table_of
from playground.runs.finetuning import LabelledSpec
from playground.text import archive_encodings, uploads
from playground.text.files import columns, open_file, open_table
from playground.text.prepare import find, prepare
from playground.text.spec import DataSpec

TEXT = "A secret that no visitor may read, long enough to be a text. " * 40


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(paths.READ)
    monkeypatch.setattr(paths, "_for_once", set())
    return paths.home()


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "id_rsa"  # without a suffix, as keys have none: it counts as text
    path.write_text(TEXT)
    return path


@pytest.fixture
def brought(home, tmp_path) -> Path:
    file = tmp_path / "mine.txt"
    file.write_text("What I brought myself, to learn from it. " * 40)
    with open(file, "rb") as opened:
        return uploads.keep(opened, file.name).path


def ways_out(brought: Path, secret: Path, home: Path) -> dict[str, str]:
    """Paths that lead to the secret, or that cannot be."""
    link, folder = brought.parent / "link.txt", brought.parent / "folder"
    link.symlink_to(secret)
    folder.symlink_to(secret.parent)
    other = home.parent / "another home" / "uploads" / brought.parent.name
    other.mkdir(parents=True)
    (other / "theirs.txt").write_text(TEXT)
    return {
        "plain": str(secret),
        "up": f"{brought.parent}/../../../{secret.name}",
        "up without a folder": f"{home}/uploads/../../{secret.name}",
        "by a link": str(link),
        "by a linked folder": str(folder / secret.name),
        "another home": str(other / "theirs.txt"),
        "home of a user": "~root/.ssh/id_rsa",
        "own home": "~/.ssh/id_rsa",
        "relative": os.path.relpath(secret),
        "name": secret.name,
        "system": "/etc/passwd",
        "process": "/proc/self/environ",
        "uploads themselves": str(home / "uploads"),
        "of the home": str(home / "runs"),
        "beside uploads": f"{home}/uploads-of-mine/x.txt",
        "NUL": f"{secret}\0.txt",
        "nothing": "",
        "long": "/" + "x/" * 40_000,
        "slashes": f"//{secret}",
    }


def test_no_way_out_of_the_uploads(home, brought, secret):
    assert may_read(brought) and readable(brought) == brought
    for way, path in ways_out(brought, secret, home).items():
        assert not may_read(path), way
        for read in (
            readable,
            lambda path: open_file(DataSpec("file", path=path)),
            lambda path: table_of(path),
        ):
            with pytest.raises(PlaygroundError) as caught:
                read(path)
            assert "SECRET" not in str(caught.value).upper().replace(secret.name.upper(), "") and caught.value.hint, way


def test_every_reader_asks(home, secret):
    """Whatever opens the file of a spec: the text, its columns, a table with labels, the preparation, marks beside it."""
    table = secret.with_suffix(".csv")
    table.write_text("text,label\n" + "a secret,1\n" * 50)
    for path in (secret, table):
        spec = DataSpec("file", path=str(path))
        readers = (open_file, open_table, columns, find, prepare, lambda spec: is_table(spec.path))
        for read in readers:
            with pytest.raises(PlaygroundError, match="not one that was brought"):
                read(spec)
    (secret.parent / uploads.WRITTEN).touch()
    (secret.parent / uploads.UNPACKED).write_text("what stands in a file of that name")
    (secret.parent / uploads.KEPT).mkdir()
    (secret.parent / uploads.KEPT / uploads.MEMBERS).write_text("{}")
    assert (
        not uploads.is_written(secret)
        and not uploads.is_unpacked(secret)
        and not archive_encodings.has_older_encodings(secret)
    )
    assert uploads.display_name(secret) == "id_rsa"
    assert LabelledSpec("file", path=str(table)).path == str(table), "a spec is only words"


def test_it_says_the_same_of_what_is_there_and_what_is_not(home, secret):
    said = []
    for path in (secret, secret.with_name("nothing"), Path("/etc/passwd"), Path("/etc/nothing")):
        with pytest.raises(PlaygroundError) as caught:
            open_file(DataSpec("file", path=str(path)))
        said.append((caught.value.message.replace(path.name, "…"), caught.value.hint))
    assert len(set(said)) == 1


def test_what_the_owner_names_may_be_read_by_every_process_of_the_home(home, secret):
    link = secret.with_name("link")
    link.symlink_to(secret)
    assert grant(link) == secret and may_read(secret) and may_read(link)
    asked = [sys.executable, "-c", f"from playground.core.paths import may_read; print(may_read({str(secret)!r}))"]
    environment = {**os.environ, "PYTHONPATH": str(Path(paths.__file__).parents[1])}
    assert subprocess.run(asked, capture_output=True, text=True, env=environment).stdout == "True\n"
    before = (home / paths.GRANTED).read_text()
    grant(secret)
    assert (home / paths.GRANTED).read_text() == before, "once is enough"
    assert not may_read(secret.with_name("id_rsa.pub"))


def test_what_is_named_for_one_command_is_not_granted_for_good(home, secret):
    grant(secret, once=True)
    assert may_read(secret) and not (home / paths.GRANTED).exists()


def test_a_host_can_name_folders(home, secret, monkeypatch):
    monkeypatch.setenv(paths.READ, f"{secret.parent}{os.pathsep}/nowhere")
    assert may_read(secret) and not may_read("/etc/passwd") and not may_read(secret.parent)


def test_a_name_that_is_not_utf_8_is_granted_too(home, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9.txt")
    odd.write_text(TEXT)
    grant(odd)
    assert may_read(odd)


def test_the_command_line_grants_what_is_named_there(home, secret, capsys):
    assert main(["data", "allow", str(secret)]) == 0 and may_read(secret)
    assert main(["data", "allow", str(secret.with_name("nothing"))]) == 2
    other = secret.with_name("novel.txt")
    other.write_text("".join(f"Line {n} of a novel of numbers, as long as it has to be. " for n in range(400)))
    command = [
        "train",
        "--preset",
        "lstm-tiny",
        "--data",
        str(other),
        "--steps",
        "1",
        "--quiet",
        "--device",
        "cpu",
    ]
    assert main(command) == 0 and may_read(other), capsys.readouterr()


def test_a_run_from_elsewhere_leads_to_no_file_of_this_machine(home, secret, brought, tmp_path):
    """It read /etc/passwd word for word: its text was trained on, and stood in its samples."""
    from playground.finetune.sandboxed_import import import_sandboxed
    from playground.runs import gallery
    from playground.runs.store import RunStore

    store = RunStore()
    path = store.export_zip("bible-lstm", tmp_path / "run.zip")
    named = {
        "plain": str(secret),
        "upload": f"/home/somebody/.lm-playground/uploads/{brought.parent.name}/mine.txt",
    }
    for way, text in named.items():
        run = import_sandboxed(
            changed(path, tmp_path / f"{way}.zip", data={"corpus": "file", "path": text, "options": {}}),
            store,
        )
        found = run.config().data
        assert found.path == (str(brought) if way == "upload" else secret.name)
        if way == "plain":
            with pytest.raises(PlaygroundError, match="The text id_rsa is not on this machine"):
                prepare(found)
        else:
            assert prepare(found).info["bytes"] > 0, "the text of that content, which is here"
    assert gallery.get("bible-lstm").config().data.path is None


def changed(path: Path, to: Path, **values) -> Path:
    """A packed run with other values in its run.json."""
    import zipfile

    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("run.json"):
                about = json.loads(data)
                data = json.dumps({**about, **{key: {**about[key], **value} for key, value in values.items()}}).encode()
            new.writestr(info, data)
    return to


def test_a_packed_run_tells_no_place_of_this_machine(home, brought, tmp_path):
    import zipfile

    from models.presets import PRESETS
    from playground.runs.config import RunConfig
    from playground.runs.store import RunStore

    store = RunStore()
    for path in (str(brought), "/srv/data/novel.txt"):
        run = store.create(
            RunConfig("mine", PRESETS["lstm-tiny"].spec, DataSpec("file", path=path)),
            data_folder=str(home / "data" / "x"),
        )
        with zipfile.ZipFile(store.export_zip(run.id, tmp_path / "run.zip")) as packed:
            said = b"".join(packed.read(name) for name in packed.namelist()).decode()
        assert str(home) not in said and "/srv" not in said and Path(path).name in said


# Which processes are on guard


def test_a_program_of_the_owners_own_reads_what_it_names(home, secret, monkeypatch):
    monkeypatch.delenv(paths.GUARDED)
    monkeypatch.setenv("HOME", str(secret.parent))
    monkeypatch.chdir(secret.parent)
    for path in (str(secret), "~/id_rsa", "id_rsa"):
        assert "".join(open_file(DataSpec("file", path=path)).documents()) == TEXT
    grant(secret)
    monkeypatch.setenv(paths.GUARDED, "1")
    assert may_read(secret), "and what it grants, the app reads too"


def test_the_command_line_is_on_guard(home):
    asked = "import os; from playground.cli import main; main(['presets']); print(os.environ['PLAYGROUND_GUARDED'])"
    environment = {**os.environ, "PYTHONPATH": str(Path(paths.__file__).parents[1])}
    environment.pop(paths.GUARDED)
    assert subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, env=environment
    ).stdout.endswith("1\n")


def test_the_server_is_on_guard(home, monkeypatch):
    from playground.runs import submit
    from playground.ui import server_start
    from playground.ui.streamlit_fixes import download_lifetime, rerun_widgets, unsent_fragments

    monkeypatch.delenv(paths.GUARDED)
    monkeypatch.setattr(submit, "keep_warm", lambda: None)
    for part in (download_lifetime, rerun_widgets, unsent_fragments):  # they change Streamlit for good
        monkeypatch.setattr(part, "apply", lambda: None)
    monkeypatch.setattr(server_start, "FIRST_PAGE", 3600.0)
    server_start.server.clear()
    server_start.server()
    assert os.environ[paths.GUARDED] == "1"


def test_who_trains_is_on_guard(home, secret):
    from models.presets import PRESETS
    from playground.runs.config import RunConfig
    from playground.runs.store import RunStore

    run = RunStore().create(RunConfig("mine", PRESETS["lstm-tiny"].spec, DataSpec("file", path=str(secret))))
    environment = {**os.environ, "PYTHONPATH": str(Path(paths.__file__).parents[1])}
    environment.pop(paths.GUARDED)
    subprocess.run(
        [sys.executable, "-m", "playground.training.dispatcher", "--run", str(run.path)],
        env=environment,
        timeout=120,
    )
    assert run.status().state == "failed" and "not one that was brought" in run.status().message


# Files of the home are its owner's alone


def test_nobody_else_may_enter_the_home(home):
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_home_of_an_earlier_version_is_closed(tmp_path, monkeypatch):
    old = tmp_path / "old"
    old.mkdir(mode=0o755)
    (old / "runs").mkdir()
    monkeypatch.setenv("PLAYGROUND_HOME", str(old))
    assert stat.S_IMODE(paths.home().stat().st_mode) == 0o700


def test_what_the_app_writes_is_its_users_alone(tmp_path):
    """Everything that a run leaves, written by the processes that the app starts, whatever the shell's umask is."""
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "PLAYGROUND_HOME": str(home),
        "PYTHONPATH": str(Path(paths.__file__).parents[1]),
    }
    command = (
        "umask 000; exec "
        + f"{sys.executable} -m playground train --preset lstm-tiny --data python-docs --steps 2 --quiet --device cpu"
    )
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = list(home.rglob("*"))
    assert any(path.name == "model.safetensors" for path in written)
    assert [path for path in written if not path.is_symlink() and path.stat().st_mode & 0o077] == []
