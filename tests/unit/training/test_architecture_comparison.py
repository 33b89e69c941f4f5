"""An opponent has the same text, seed and budget, and as many parameters as can be."""

import pytest

from models.parameter_counts import parameter_counts
from models.presets import PRESETS
from models.spec import SpecError
from playground.runs.config import RunConfig
from playground.text.spec import DataSpec
from playground.training.architecture_comparison import comparable_presets, comparison_run
from playground.training.recipes import recipe


def config_for(preset: str, **training) -> RunConfig:
    spec = PRESETS[preset].spec.replace(vocab_size=1024, context_length=96)
    training = recipe(preset).replace(steps=77, seed=5, batch_size=6, **training)
    return RunConfig(preset, spec, DataSpec("python-docs"), training, preset)


@pytest.mark.parametrize("opponent", comparable_presets(config_for("lstm-tiny")))
def test_the_conditions_are_the_same(opponent):
    own = config_for("lstm-tiny")
    other = comparison_run(own, opponent)
    assert other.data == own.data and other.model.context_length == 96 and other.model.vocab_size == 1024
    assert (other.training.steps, other.training.seed, other.training.batch_size) == (77, 5, 6)
    assert other.training.lr == recipe(opponent).lr
    mine, its = (sum(parameter_counts(config.model).values()) for config in (own, other))
    assert abs(mine - its) < 0.15 * mine


def test_only_what_learns_the_same_can_race():
    assert "lstm-tiny" not in comparable_presets(config_for("lstm-tiny"))
    assert not any(name.startswith(("bert", "seq2seq")) for name in comparable_presets(config_for("lstm-tiny")))
    with pytest.raises(SpecError):
        comparison_run(config_for("lstm-tiny"), "bert-tiny")


def test_widths_can_be_left_alone():
    assert comparison_run(config_for("lstm-tiny"), "gpt2-tiny", same_parameters=False).model.d_model == 128
