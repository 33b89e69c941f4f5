"""Each component draws only what is newest, and cleans up: the browser's side is in tests/browser/test_overtaken.py."""

import re

import pytest

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
