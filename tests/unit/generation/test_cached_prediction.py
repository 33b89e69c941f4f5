"""What is shown before PyTorch is loaded is what the shipped model says."""

import pytest

from playground.generation.cached_prediction import expected, read_opening, write_opening
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
    assert kept["text"] == opening_text(run.samples())
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
