"""Every model can be drawn, and the drawing says what the model is."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from models.hyperparameters import ARCHITECTURES, MLPS, NORM_POSITIONS, NORMS, POSITIONS, TRANSFORMERS
from models.parameter_counts import parameter_counts
from models.presets import PRESETS
from models.spec import ModelSpec
from playground.pages.build import settings
from playground.ui import diagram, model_costs, model_settings
from playground.ui.diagram.canvas import rounded, written

SPECS = [preset.spec.replace(vocab_size=1024) for preset in PRESETS.values()]
SPECS += [
    ModelSpec(kind, 500, position=position, mlp=mlp, norm=norm, norm_position=where, n_kv_heads=2)
    for kind, position, (mlp, norm), where in itertools.product(
        TRANSFORMERS, POSITIONS, zip(MLPS, itertools.cycle(NORMS), strict=False), NORM_POSITIONS
    )
]
SPECS += [
    ModelSpec(kind, 300, n_layers=layers, bidirectional=both, bias=bias, nonlinearity="relu", logit_softcap=9.0)
    for kind, layers, both, bias in itertools.product(
        ("rnn", "lstm", "gru"), (1, 2, 3, 7), (False, True), (False, True)
    )
]
SPECS += [
    ModelSpec("lstm-attention", 300, n_layers=layers, bias=bias, tie_embeddings=bias)
    for layers, bias in itertools.product((1, 2, 3, 7), (False, True))
]


def words(svg: str) -> list[str]:
    tree = ElementTree.fromstring(svg.replace("&#8203;", ""))
    return ["".join(text.itertext()) for text in tree.iter("text")]


def pieces(spec: ModelSpec):
    picture = diagram.draw(spec)
    return [picture.main, *picture.details.values()]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: "-".join(map(str, list(spec.to_dict().values())[:8])))
def test_is_well_formed_and_inside_its_frame(spec):
    for canvas in pieces(spec):
        tree = ElementTree.fromstring(canvas.svg())
        _, _, width, height = map(float, tree.get("viewBox").split())
        for box in tree.iter("rect"):
            x, y = float(box.get("x")), float(box.get("y"))
            assert x >= -6 and x + float(box.get("width")) <= width + 9
            assert y >= -6 and y + float(box.get("height")) <= height + 1
        for text in tree.iter("text"):
            assert 0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height


@pytest.mark.parametrize("spec", SPECS[: len(PRESETS)], ids=PRESETS)
def test_everything_that_opens_has_an_inside_and_a_tip(spec):
    picture = diagram.draw(spec)
    opening = set(re.findall(r'opens" data-key="([^"]+)"', picture.main.svg()))
    assert opening == set(picture.details)
    assert picture.first in opening
    for key in re.findall(r'data-key="([^"]+)"', picture.main.svg()):
        assert picture.tips()[key].text


def test_shapes_are_those_of_the_model():
    spec = ModelSpec("decoder", 1024, d_model=96, n_heads=6, n_kv_heads=2, n_layers=7, mlp="swiglu", position="rotary")
    picture = diagram.draw(spec)
    main, inside = words(picture.main.svg()), words(picture.details["attention"].svg())
    assert {"[B, T]", "[B, T, 96]", "[B, T, 1024]", "× 7", "96 → 256 → 96"} <= set(main)
    assert {"[B, 6, T, 16]", "[B, 2, T, 16]", "[B, 6, T, T]"} <= set(inside)
    assert "rotate by position (RoPE)" in inside


def test_gates_are_named():
    assert {"f", "i", "g", "o"} <= set(words(diagram.draw(SPECS[2]).details["cell"].svg()))
    assert {"r", "z", "n"} <= set(words(diagram.draw(SPECS[4]).details["cell"].svg()))


def test_two_sides_are_drawn_and_joined():
    drawn = words(diagram.draw(PRESETS["seq2seq-tiny"].spec.replace(vocab_size=500)).main.svg())
    assert {"Encoder", "Decoder", "Cross-attention", "input to every decoder layer", "[B, S, 128]"} <= set(drawn)
    looks = diagram.draw(PRESETS["lstm-attention-tiny"].spec.replace(vocab_size=500))
    drawn, inside = words(looks.main.svg()), words(looks.details["cross"].svg())
    assert {"Encoder", "Decoder", "Additive attention", "left to right", "right to left", "hS", "[B, S, 128]"} <= set(
        drawn
    )
    assert looks.first == "cross" and {"W", "U", "tanh", "mask, softmax", "[B, S]"} <= set(inside)


@pytest.mark.parametrize("spec", SPECS, ids=range(len(SPECS)))
def test_every_parameter_has_a_block(spec):
    parts = model_costs.parts(spec)
    assert sum(size for _, _, size in parts) == sum(parameter_counts(spec).values())
    keys = set(re.findall(r'data-key="([^"]+)"', diagram.draw(spec).main.svg()))
    assert all(keys & set(blocks.split()) for _, blocks, _ in parts)


def test_every_choice_has_its_words():
    fields = set(ModelSpec("decoder").to_dict())
    assert set(model_settings.NAMES) == fields == set(model_settings.MAIN) | set(settings.UNUSUAL)
    assert set(settings.SENTENCES["architecture"]) == set(ARCHITECTURES)
    assert set(settings.SENTENCES) | set(settings.HELP) == fields


def test_lines_bend_without_overshooting():
    assert rounded([(0, 0), (0, 4), (50, 4)]) == "M0 0L0.0 2.0Q0 4 2.0 4.0L50 4"


def test_words_of_people_are_no_markup():
    assert written("<script>") == "&lt;script&gt;"
    assert ">t−1<" in written("hₜ₋₁")
