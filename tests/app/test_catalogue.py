"""Every sentence of the app has its Chinese one, with the same values in it."""

import ast
import json
import re
import string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    ROOT / "app.py",
    *sorted((ROOT / "playground/ui").rglob("*.py")),
    *sorted((ROOT / "playground/pages").rglob("*.py")),
]
CATALOGUES = sorted((ROOT / "playground/ui/locale/zh").glob("*.json"))


def said(path: Path) -> list[tuple[str, int]]:
    """Every literal in ``t("…")`` and its line; a conditional expression counts with both its texts."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "t" and node.args:
            found += literals(node.args[0])
    return found


def literals(node: ast.expr) -> list[tuple[str, int]]:
    if isinstance(node, ast.IfExp):
        return literals(node.body) + literals(node.orelse)
    return [(node.value, node.lineno)] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def translations() -> dict[str, str]:
    words: dict[str, str] = {}
    for path in CATALOGUES:
        words |= json.loads(path.read_text(encoding="utf-8"))
    return words


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sentence_is_translated(path):
    words = translations()
    missing = [f"{path.name}:{line} {text!r}" for text, line in said(path) if text.strip() and text not in words]
    assert not missing, "no Chinese for\n" + "\n".join(missing)


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_translations_keep_the_values(path):
    for english, chinese in json.loads(path.read_text(encoding="utf-8")).items():
        assert chinese.strip(), english
        assert fields(english) == fields(chinese), english


def test_no_sentence_has_two_translations():
    seen: dict[str, str] = {}
    for path in CATALOGUES:
        for english, chinese in json.loads(path.read_text(encoding="utf-8")).items():
            assert seen.setdefault(english, chinese) == chinese, f"{path.name}: {english!r}"


def test_names_that_are_looked_up_are_translated():
    """Titles and states are translated by their value, which no literal shows."""
    from playground.ui.choose import STATES
    from playground.ui.titles import TITLES

    titles = re.findall(r'^    "\w+": \("(\w+)", ":material', (ROOT / "app.py").read_text(), re.MULTILINE)
    assert len(titles) >= 6
    words = translations()
    looked_up = (*titles, *STATES.values(), *TITLES.values(), *names_of_views())
    missing = [name for name in looked_up if name not in words]
    assert not missing, missing


def names_of_views() -> list[str]:
    """What the Explore page calls its views, aspects, gates and heads."""
    from playground.pages.explore import attention, intervene, page, positions, predictions, recurrent, steps

    tables = [
        page.VIEWS,
        attention.WAYS,
        attention.PART_NAMES,
        attention.KIND_NAMES,
        predictions.ASPECTS,
        recurrent.ASPECTS,
        recurrent.SIGNALS,
        recurrent.ORDERS,
        positions.ASPECTS,
        positions.WHEN,
        attention.WITH,
        attention.DRAWINGS,
        predictions.COLOURS,
        *intervene.GATES.values(),
        intervene.HOW,
        intervene.HOW_GATES,
        intervene.PART_NAMES,
        steps.WHOSE,
    ]
    return [name for table in tables for name in table.values()]
