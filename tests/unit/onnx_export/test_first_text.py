"""An export begins with a text that its model was made for."""

import pytest

from playground.onnx_export.first_text import FILL_IN, first_text
from playground.runs import gallery
from playground.runs.folder import RunFolder

VERSE = ["[CLS]", "In", " the", " beg", "inning", " God", " made", " heaven", ".", "[SEP]"]


def begun(folder, *samples, fills=False) -> str:
    run = RunFolder(folder)
    for sample in samples:
        run.append_sample({"step": 1, **sample})
    return first_text(run.samples(), fills, ("[CLS]", "[SEP]"))


def blanks(tokens: list[str], *hidden: int) -> dict:
    filled = {"blanks": list(hidden), "filled": tokens, "probabilities": [0.5] * len(hidden)}
    return {"kind": "blanks", "tokens": tokens, **filled}


def test_a_text_is_continued_without_a_space_at_its_end(tmp_path):
    assert begun(tmp_path, {"kind": "text", "prompt": "The cat sat. It ", "text": "ran"}) == "The cat sat. It"


def test_a_question_and_a_text_to_label_stay_as_they_are(tmp_path):
    asked = {"kind": "answers", "examples": [{"source": "3 May 1998 = ", "target": "1998-05-03", "answer": ""}]}
    assert begun(tmp_path, asked) == "3 May 1998 = "
    row = {"text": "It was good.", "label": "good", "said": "bad", "probability": 0.6}
    assert begun(tmp_path, {"kind": "labels", "examples": [row]}) == "It was good."


def test_a_run_without_samples_has_a_text_without_a_space_at_its_end(tmp_path):
    assert begun(tmp_path) == "The" and begun(tmp_path, fills=True) == FILL_IN


@pytest.mark.parametrize(
    ("tokens", "hidden", "text"),
    [
        (VERSE, [3, 5], "In the beginning <mask> made heaven."),
        (VERSE, [3], "In the beginning God <mask> heaven."),  # no whole word: one in the middle
        (list("猫坐在垫子上。"), [2, 4], "猫坐<mask>垫子上。"),
        (list("cat sat"), [3, 5], "cat s<mask>t"),
    ],
    ids=["words", "no whole word", "Chinese", "letters"],
)
def test_one_word_of_the_last_sample_is_hidden(tokens, hidden, text, tmp_path):
    assert begun(tmp_path, blanks(tokens, *hidden), fills=True) == text


def test_the_shipped_models_begin_with_their_samples():
    begins = {
        run.id: first_text(run.samples(), run.config().training.objective == "mlm" and not run.config().finetune)
        for run in gallery.runs()
    }
    assert begins["dates"].endswith(" =") and begins["stories-decoder"] == "The cat sat on the mat. It"
    assert begins["three-kingdoms"] == "却说"
    assert {name for name, text in begins.items() if "<mask>" in text} >= {"bible-encoder", "stories-zh-encoder"}
    assert all(text == text.rstrip() and not text.startswith("The <mask>") for text in begins.values())
