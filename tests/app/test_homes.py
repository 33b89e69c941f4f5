"""Homes that cannot be used: every page opens, and says in a sentence what is wrong and what to do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import ROOT, show

PAGES = ("home", "build", "data", "train", "finetune", "runs", "generate", "explore", "export")
NEEDS_NO_HOME = ("build",)


def a_file(place: Path) -> Path:
    (place / "home").write_text("not a folder")
    return place / "home"


def below_a_file(place: Path) -> Path:
    return a_file(place) / "deeper"


def not_allowed(place: Path) -> Path:
    return Path("/proc/no-such-folder") if sys.platform == "linux" else Path("/no-such-folder")


HOMES = [a_file, below_a_file, not_allowed]


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_and_says_what_is_wrong(page, home, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(home(tmp_path)))
    app = AppTest.from_function(show, default_timeout=60, args=(page,)).run()
    said = [error.value.replace("\\", "") for error in app.error]
    assert not app.exception and not [one for one in said if "Something went wrong" in one], (said, app.exception)
    assert app.title, "the page begins"
    if page not in NEEDS_NO_HOME:
        assert said and all("PLAYGROUND_HOME" in one for one in said), said


@pytest.mark.parametrize("home", HOMES)
def test_the_app_starts(home, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(home(tmp_path)))
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert (
        not app.exception
        and app.title
        and any("PLAYGROUND_HOME" in error.value.replace("\\", "") for error in app.error)
    )
    assert not [error for error in app.error if "Something went wrong" in error.value]


READ_ONLY = """
import json, sys
from streamlit.testing.v1 import AppTest
from tests.app.conftest import show
from tests.app.test_homes import PAGES

said = {}
for page in PAGES:
    app = AppTest.from_function(show, default_timeout=60, args=(page,)).run()
    said[page] = [[error.value for error in app.error], len(app.exception), len(app.title)]
print(json.dumps(said))
"""


def test_a_home_on_a_disk_that_is_read_only_can_be_looked_at(tmp_path):
    """It holds a run: the pages show it, and those that have to write say so."""
    from tests.support.made_runs import make_run

    make_run(tmp_path, "seen")
    mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    unshare = ["unshare", "--user", "--mount", "--map-root-user", "sh", "-c", mount, "sh", str(tmp_path)]
    environment = {**os.environ, "PLAYGROUND_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    run = lambda *command: subprocess.run(
        [*unshare, *command], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=240
    )
    if not shutil.which("unshare") or run("true").returncode:
        pytest.skip("no file system can be mounted here")
    assert run("touch", str(tmp_path / "x")).returncode, "it is read-only"
    done = run(sys.executable, "-c", READ_ONLY)
    assert done.returncode == 0, done.stderr
    for page, (errors, exceptions, titles) in json.loads(done.stdout.splitlines()[-1]).items():
        assert not exceptions and titles, (page, done.stderr)
        for error in errors:
            assert "Writing is not allowed" in error and "PLAYGROUND" in error, (page, error, done.stderr[-3000:])
