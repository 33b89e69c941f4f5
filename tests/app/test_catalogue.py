"""Every sentence of the app has its Chinese one, with the same values in it; what nobody says any more has none."""

import ast
import json
import re
import string

import pytest

from models.presets import PRESETS
from playground.ui.locale import update

ROOT = update.ROOT
LANGUAGE = "zh"
AREAS = update.areas(LANGUAGE)
SOURCES = update.sources()


@pytest.fixture(scope="module")
def words() -> dict[str, str]:
    return update.translations(LANGUAGE)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sentence_is_translated(path, words):
    missing = [f"{path.name}:{line} {text!r}" for text, line in update.sentences(path) if text not in words]
    assert not missing, "no Chinese (add it to a .po file, then `make words`) for\n" + "\n".join(missing)


@pytest.mark.parametrize("path", AREAS, ids=lambda path: path.stem)
def test_no_translation_is_stale(path, said):
    stale = [message.id for message in update.read(path) if message.id and message.id not in said]
    assert not stale, f"nothing in the source says (delete it from {path.name}, then `make words`)\n" + "\n".join(stale)


@pytest.fixture(scope="module")
def said() -> set[str]:
    """Every text in the source, titles of presets and names of the gallery's runs: what can be looked up."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES]
    texts = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    runs = (ROOT / "playground/gallery").glob("*/run.json")
    return texts | {preset.title for preset in PRESETS.values()} | {json.loads(run.read_text())["name"] for run in runs}


@pytest.mark.parametrize("path", AREAS, ids=lambda path: path.stem)
def test_translations_keep_the_values(path):
    for message in update.read(path):
        assert message.string.strip() or not message.id, message.id
        assert message.id == "" or fields(message.id) == fields(message.string), message.id


def test_no_sentence_has_two_translations():
    seen: dict[str, str] = {}
    for path in AREAS:
        for message in update.read(path):
            assert seen.setdefault(message.id, message.string) == message.string, f"{path.name}: {message.id!r}"


def test_what_is_compiled_is_what_is_written():
    compiled = update.FOLDER / LANGUAGE / "LC_MESSAGES" / "messages.mo"
    assert compiled.read_bytes() == update.compiled(LANGUAGE), "run `make words`"


def test_names_that_are_looked_up_are_translated(words):
    """Titles and states are translated by their value, which no literal shows."""
    from playground.ui.run_picker import STATES
    from playground.ui.titles import TITLES

    titles = re.findall(r'^    "\w+": \("(\w+)", ":material', (ROOT / "app.py").read_text(), re.MULTILINE)
    assert len(titles) >= 6
    looked_up = (*titles, *STATES.values(), *TITLES.values(), *names_of_views())
    missing = [name for name in looked_up if name not in words]
    assert not missing, missing


def names_of_views() -> list[str]:
    """What the Explore page calls its views, aspects, gates and heads."""
    from playground.pages.explore import attention, intervene, known_heads, positions, predictions, recurrent, steps
    from playground.ui import places

    tables = [
        places.VIEWS,
        intervene.LOOKS,
        recurrent.LENGTHS,
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
        attention.DOES,
        known_heads.NAMES,
        known_heads.DOES,
        predictions.COLOURS,
        *intervene.GATES.values(),
        intervene.HOW,
        intervene.HOW_GATES,
        intervene.PART_NAMES,
        steps.WHOSE,
    ]
    return [name for table in tables for name in table.values()]
