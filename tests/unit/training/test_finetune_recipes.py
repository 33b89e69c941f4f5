"""How a fine-tuned run is trained when nobody says more: by task and method."""

import pytest

from models.spec import ModelSpec, SpecError
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import METHODS, FineTuneSpec
from playground.text.spec import DataSpec
from playground.training.finetune_recipes import LR, STEPS, recipe


def parent(architecture: str, objective: str) -> RunConfig:
    model = ModelSpec(architecture, vocab_size=20, d_model=16, n_layers=1, n_heads=2)
    return RunConfig("parent", model, DataSpec("python-docs"), TrainingSpec(objective=objective))


@pytest.mark.parametrize("method", METHODS)
def test_the_learning_rate_is_the_methods(method):
    found = recipe(FineTuneSpec("language", method=method), parent("decoder", "clm"))
    assert found.lr == LR[method] and found.steps == STEPS["language"] and found.final_lr_fraction == 0
    assert found.warmup_steps < found.steps


def test_answers_count_the_completion_alone():
    asked = FineTuneSpec("answer")
    assert recipe(asked, parent("decoder", "clm")).loss_on == "completion"
    assert recipe(asked, parent("encoder-decoder", "seq2seq")).objective == "seq2seq"
    assert recipe(asked, parent("lstm-attention", "seq2seq")).objective == "seq2seq"
    with pytest.raises(SpecError, match="cannot write answers"):
        recipe(asked, parent("encoder", "mlm"))


def test_what_is_said_counts():
    found = recipe(FineTuneSpec("language"), parent("decoder", "clm"), steps=1, lr=0.5)
    assert (found.steps, found.lr, found.warmup_steps) == (1, 0.5, 0)
