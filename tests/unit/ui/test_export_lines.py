"""The lines that use an export, in Python and in a page: with a text that the model was made for, quoted for both."""

import ast

import pytest

from playground.pages.export.code_lines import PYTHON, javascript_lines, python_lines


def asked(kind: str, text: str) -> str:
    """The text that the lines of Python ask about."""
    calls = [node for node in ast.walk(ast.parse(python_lines(kind, text))) if isinstance(node, ast.Call)]
    return next(node.value for call in calls for node in call.args if isinstance(node, ast.Constant))


@pytest.mark.parametrize("kind", PYTHON)
@pytest.mark.parametrize("text", ["质量太差了，很失望。", "The cat sat on the mat. It"])
def test_the_text_of_the_model_stands_in_both(kind, text):
    assert asked(kind, text) == text
    assert f'"{text}"' in javascript_lines(kind, text)


def test_a_mask_stays_one_also_far_in():
    text = "And he said unto them, Go ye into all the world and preach the <mask> to the whole creation, all of it."
    assert asked("fill", text).endswith("preach the <mask>")
    assert "<mask>" in javascript_lines("fill", text)


@pytest.mark.parametrize("text", ['a "quoted" \\ text', "</script><script>alert(1)</script>", "two\nlines"])
def test_no_text_ends_its_quotes_or_the_script(text):
    assert len(asked("write", text)) > 5
    lines = javascript_lines("write", text)
    assert lines.count("<script") == lines.count("</script>") == 1 and '"quoted"' not in lines


def test_without_a_text_there_is_one():
    assert asked("write", "") == "The "
