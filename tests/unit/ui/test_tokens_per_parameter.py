"""The scale that says whether a text is enough for a model."""

import json

import pytest

from models.parameter_counts import parameter_counts
from models.presets import PRESETS
from models.spec import ModelSpec
from playground.text.prepare import prepare
from playground.text.spec import DataSpec, TokenizerSpec
from playground.text.statistics import Estimate, estimate
from playground.ui import tokens_per_parameter

PROSE = "".join(
    f"On day {n} the miller's {n % 7} children sang of wind, bread and the {n * n}th wheel.\n" for n in range(900)
)
TINY, SMALL = PRESETS["gpt2-tiny"].spec, PRESETS["gpt2-small"].spec


def text_of(ratio: float, model: ModelSpec) -> Estimate:
    return Estimate(round(ratio * tokens_per_parameter.parameters(model, 1024)), 1024, 10**6)


@pytest.mark.parametrize(("low", "high"), [(0.05, 0.5), (0.5, 3), (3, 10), (10, 60)])
def test_each_zone_has_its_sentence_and_its_place(low, high):
    assert tokens_per_parameter.verdict(low) != tokens_per_parameter.verdict(high)
    assert 0 <= tokens_per_parameter.place(low) < tokens_per_parameter.place(high) < 1


def test_the_scale_ends_where_it_ends():
    assert tokens_per_parameter.place(0) == 0 and tokens_per_parameter.place(1e9) == 1
    assert tokens_per_parameter.place(0.1) == pytest.approx(0.5)  # three decades below, three above


def test_parameters_are_those_of_the_model_with_this_vocabulary():
    assert tokens_per_parameter.parameters(TINY, 777) == sum(parameter_counts(TINY.replace(vocab_size=777)).values())


def test_too_large_a_model_is_exchanged_for_the_largest_that_fits():
    better = tokens_per_parameter.suggestion(text_of(1.5, TINY), SMALL, "gpt2-small")
    assert better.preset == "gpt2-tiny" and not better.changes
    assert better.parameters == tokens_per_parameter.parameters(TINY, 1024)


def test_below_every_preset_a_smaller_shape_is_told():
    better = tokens_per_parameter.suggestion(text_of(0.01, TINY), TINY, "gpt2-tiny")
    smaller = TINY.replace(**better.changes)
    assert (
        better.changes
        and better.parameters
        == tokens_per_parameter.parameters(smaller, 1024)
        < tokens_per_parameter.parameters(TINY, 1024) / 3
    )


def test_what_suits_is_left_alone():
    assert tokens_per_parameter.suggestion(text_of(2, TINY), TINY, "gpt2-tiny") is None
    assert tokens_per_parameter.suggestion(text_of(19, TINY), TINY, "gpt2-tiny") is None
    assert (
        tokens_per_parameter.suggestion(
            text_of(0.01, TINY), TINY.replace(d_model=32, n_layers=1, n_heads=2), "gpt2-tiny"
        )
        is None
    )


def test_a_long_text_asks_for_a_larger_model():
    assert tokens_per_parameter.suggestion(text_of(25, TINY), TINY, "gpt2-tiny").preset == "gpt2-small"
    assert tokens_per_parameter.suggestion(text_of(25, SMALL), SMALL, "gpt2-small") is None


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_told_can_be_built(preset):
    spec = PRESETS[preset].spec
    for ratio in (0.001, 0.3, 2, 50):
        better = tokens_per_parameter.suggestion(text_of(ratio, spec), spec, preset)
        if better:
            built = PRESETS[better.preset].spec.replace(**better.changes)
            assert tokens_per_parameter.parameters(built, 1024) == better.parameters
            assert built.architecture == spec.architecture


@pytest.mark.parametrize("kind", ["bpe", "char", "byte", "word"])
def test_an_estimate_is_near_what_is_counted_later(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    path = tmp_path / "prose.txt"
    path.write_text(PROSE)
    spec = TokenizerSpec(kind, 400)
    told = estimate(PROSE, spec, share=0.9)
    found = tokens_per_parameter.of(prepare(DataSpec("file", path=str(path), tokenizer=spec)))
    assert told.tokens == pytest.approx(found.tokens, rel=0.06)
    assert told.vocabulary == pytest.approx(found.vocabulary, rel=0.06)
    assert found.exact and told.exact == (kind == "byte")


def test_a_long_text_is_estimated_from_a_part():
    long = PROSE * 15
    told, part = estimate(long, TokenizerSpec("bpe", 400)), estimate(PROSE, TokenizerSpec("bpe", 400))
    assert len(long) > 900_000 and told.tokens == pytest.approx(15 * part.tokens, rel=0.05)


def test_nothing_written_is_nothing():
    assert estimate("", TokenizerSpec("char")).tokens == 0


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0000023456, "0.0000023"),
        (0.00007, "0.00007"),
        (0.0001999, "0.0002"),
        (0.0015, "0.0015"),
        (0.14, "0.14"),
        (3.42, "3.4"),
        (1190, "1,200"),
        (27, "27"),
    ],
)
def test_numbers_have_two_digits(value, told):
    assert tokens_per_parameter.few(value) == told


def test_the_line_on_train_counts_readings(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    from playground.training.recipes import recipe

    path = tmp_path / "prose.txt"
    path.write_text(PROSE)
    data = DataSpec("file", path=str(path), tokenizer=TokenizerSpec("byte"))
    training = recipe("gpt2-tiny", steps=100, batch_size=8)
    assert tokens_per_parameter.line(TINY, data, training) == ""  # not prepared yet: nothing to count
    prepare(data)
    tokens = json.loads((next((tmp_path / "data").glob("*/info.json"))).read_text())["train"]["tokens"]
    assert f"about {100 * 8 * TINY.context_length / tokens:.2g} epochs" in tokens_per_parameter.line(
        TINY, data, training
    )
