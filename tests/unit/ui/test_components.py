"""Each component draws only what is newest, and cleans up: the browser's side is in tests/browser/test_overtaken.py."""

import re
from pathlib import Path

import pytest

from playground.ui import colours
from playground.ui.components import FOLDER

SCRIPTS = [path for path in sorted(FOLDER.glob("*.js")) if "export default" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_component_is_called_through_register(path):
    assert re.findall(r"^export default .*?\(", path.read_text(encoding="utf-8"), re.M) == ["export default register("]


MOUNTS = sorted(
    {
        (name, tuple(re.findall(r'"(\w+)"', parts)))
        for path in FOLDER.glob("*.py")
        for name, parts in re.findall(r'component\(\s*"(\w+)"((?:,\s*"\w+")*)', path.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize(("name", "parts"), MOUNTS, ids=[name for name, _ in MOUNTS])
def test_no_name_stands_twice_in_what_is_put_together(name, parts):
    """The browser would refuse the whole script."""
    declared = re.compile(r"^(?:export )?(?:const|let|class|(?:async )?function)\s+(\w+)", re.M)
    names = [
        found
        for part in ("shared", *parts, name)
        for found in declared.findall((FOLDER / f"{part}.js").read_text(encoding="utf-8"))
    ]
    assert "register" in names and sorted(names) == sorted(set(names))


def test_every_component_is_put_together_somewhere():
    assert {name for name, _ in MOUNTS} == {path.stem for path in SCRIPTS}


def test_the_palette_stands_in_python_alone():
    """A drawing gets its colours as data, or as a variable of CSS."""
    palette = set(re.findall(r"#[0-9a-f]{6}", Path(colours.__file__).read_text(encoding="utf-8")))
    ui = FOLDER.parent
    for path in [*ui.rglob("*.js"), *ui.rglob("*.css"), *ui.rglob("*.py")]:
        found = set(re.findall(r"#[0-9a-f]{6}\b", path.read_text(encoding="utf-8").lower()))
        assert path == Path(colours.__file__) or not palette & found, path
    assert {"#d55e00", "#0f7fc4", colours.SEQUENTIAL["day"][-1], *colours.RUNS} <= palette
