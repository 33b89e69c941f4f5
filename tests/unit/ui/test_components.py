"""Each component draws only what is newest, and cleans up: the browser's side is in tests/browser/test_overtaken.py."""

import re

import pytest

from playground.ui.components import FOLDER

SCRIPTS = [path for path in sorted(FOLDER.glob("*.js")) if "export default" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_component_is_called_through_register(path):
    assert re.findall(r"^export default .*?\(", path.read_text(encoding="utf-8"), re.M) == ["export default register("]
