"""What is shown before PyTorch is loaded is what the shipped model says."""

import pytest

from playground.generation.cached_prediction import expected, first_page_text, read, read_opening, write_opening
from playground.generation.predict import open_prompt
from playground.generation.torch_model import TorchGenerator
from playground.runs import gallery
from playground.runs.samples import opening_text
from playground.text.tokenizers import Tokenizer
from playground.training import worker
from playground.training.load_model import load_model

WRITERS = [
    run
    for run in gallery.runs()
    if run.about()["training"]["objective"] == "clm" and run.about().get("data_shape") != "pairs"
]


def check(run) -> None:
    kept = read_opening(run)
    assert kept is not None, "made by: python -m playground runs ship"
    assert kept["text"] == first_page_text(run)
    now = expected(TorchGenerator(load_model(run)), Tokenizer.load(run.tokenizer_path), kept["text"])
    assert [option["p"] for option in kept["options"]] == pytest.approx([o["p"] for o in now], rel=1e-3)
    assert [option["piece"] for option in kept["options"]][:3] == [o["piece"] for o in now][:3]


@pytest.mark.parametrize("run", WRITERS, ids=lambda run: run.id)
def test_every_shipped_model_keeps_its_opening(run):
    check(run)


def test_an_opening_of_another_step_is_not_shown(new_run):
    run = new_run()
    assert worker.run(run) == "finished"
    write_opening(run)
    check(run)
    path = run.path / "opening.json"
    path.write_text(path.read_text().replace('"step": 12', '"step": 11'))
    assert read_opening(run) is None


def shipped(name):
    run = gallery.get(name)
    return TorchGenerator(load_model(run)), Tokenizer.load(run.tokenizer_path)


def test_a_space_at_the_end_changes_no_prediction_and_is_not_doubled():
    model, tokenizer = shipped("stories-decoder")
    bare, spaced = (
        expected(model, tokenizer, text) for text in ("The cat sat on the mat. It", "The cat sat on the mat. It ")
    )
    assert [(o["piece"], o["p"]) for o in spaced] == [(o["piece"], o["p"]) for o in bare]
    assert bare[0]["text"] == " meowed" and spaced[0]["text"] == "meowed"


def test_no_half_of_a_character_and_no_special_token_is_a_surprise():
    model, tokenizer = shipped("stories-decoder")
    assert read(model, tokenizer, "猫")[1] is None
    assert read(model, tokenizer, "The 猫 sat")[1]["piece"].isascii()
    assert "\\x" not in read(model, tokenizer, "The 猫 sat")[1]["piece"]


def test_the_first_page_begins_with_a_text_that_may_go_on_in_several_ways():
    run = gallery.get("stories-decoder")
    shares = [option["p"] for option in read_opening(run)["options"]]
    assert max(shares) < 0.5 and sum(p > 0.05 for p in shares) >= 4
    assert opening_text(run.samples()) == "The cat sat on the mat. It", "which other pages keep"


@pytest.mark.parametrize(
    ("name", "ends_alike"), [("stories-decoder", True), ("stories-zh-decoder", True), ("dates", False)]
)
def test_only_a_text_to_continue_loses_its_last_space(name, ends_alike):
    run = gallery.get(name)
    tokenizer, answers = Tokenizer.load(run.tokenizer_path), run.about().get("data_shape") == "pairs"
    bare, spaced = (open_prompt(run.config().model, tokenizer, text, answers) for text in ("May 3", "May 3 "))
    assert (bare.ids == spaced.ids and bare.source == spaced.source) == (ends_alike and tokenizer.kind != "char")
    assert spaced.spaced == (ends_alike and tokenizer.kind != "char")
