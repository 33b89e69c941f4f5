"""The worked example, done by hand, and a real head against the model's own numbers."""

import math

import numpy as np
import pytest

from models.hyperparameters import TRANSFORMERS
from playground.inspection.attention_steps import EXAMPLE, EXAMPLE_QUERY, run_steps, worked_example
from playground.inspection.capture import capture
from tests.unit.inspection.test_attention import IDS, SPECS, seeded, source_of

VECTORS = np.array(list(EXAMPLE.values()))

# sat · every word, written out: 0.7·0.1 + 0.8·0.2 + 0.9·0.3 = 0.07 + 0.16 + 0.27 = 0.50 for "The", and so on
PRODUCTS = [0.50, 1.22, 1.94, 0.74, 0.50, 1.46]


def test_the_sentence():
    assert " ".join(EXAMPLE) == "The cat sat on the mat"
    assert list(EXAMPLE)[EXAMPLE_QUERY] == "sat"


def test_the_worked_example_by_hand():
    steps = worked_example(VECTORS, EXAMPLE_QUERY, causal=False, scaling=True)
    assert steps.products.tolist() == pytest.approx(PRODUCTS)
    scaled = [product / 1.7320508 for product in PRODUCTS]  # √3
    assert steps.scaled.tolist() == pytest.approx(scaled, abs=1e-6)
    powers = [math.exp(score) for score in scaled]  # 1.3347, 2.0225, 3.0648, 1.5330, 1.3347, 2.3231
    total = sum(powers)  # 11.6128
    assert total == pytest.approx(11.6128, abs=1e-3)
    weights = [power / total for power in powers]
    assert steps.weights.tolist() == pytest.approx(weights, abs=1e-7)
    assert steps.weights.tolist() == pytest.approx([0.1149, 0.1742, 0.2639, 0.1320, 0.1149, 0.2000], abs=1e-4)
    first = 0.1149 * 0.1 + 0.1742 * 0.4 + 0.2639 * 0.7 + 0.1320 * 0.2 + 0.1149 * 0.1 + 0.2000 * 0.5
    assert steps.mixed.tolist() == pytest.approx(
        [first, first + 0.1, first + 0.2], abs=2e-4
    )  # x₂ = x₁ + 0.1 in every row


def test_the_mask_leaves_three_words():
    steps = worked_example(VECTORS, EXAMPLE_QUERY, causal=True, scaling=True)
    powers = [math.exp(product / math.sqrt(3)) for product in PRODUCTS[:3]]
    assert steps.weights[:3].tolist() == pytest.approx([power / sum(powers) for power in powers])
    assert (steps.weights[3:] == 0).all() and steps.weights.sum() == pytest.approx(1)


def test_without_scaling_the_largest_takes_more():
    plain = worked_example(VECTORS, EXAMPLE_QUERY, causal=False, scaling=False)
    assert plain.weights[2] == pytest.approx(math.exp(1.94) / sum(math.exp(p) for p in PRODUCTS))
    assert plain.weights[2] > worked_example(VECTORS, EXAMPLE_QUERY, causal=False, scaling=True).weights[2]


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.architecture in TRANSFORMERS])
def test_a_real_head_is_recomputed_to_its_own_numbers(name):
    model, source = seeded(name), source_of(name)
    held = capture(model, IDS, source)
    parts = {"pairs": ["cross", "decoder", "encoder"]}.get(name, ["self"])
    for part in parts:
        side = {"self": "", "encoder": "encoder."}.get(part, "decoder.")
        at = f"{side}layers.1.{'cross' if part == 'cross' else 'attention'}."
        steps = run_steps(model, IDS, 1, 3, 2, part, source)
        assert np.abs(steps.head.weights - held[at + "weights"][3, 2]).max() < 1e-5
        assert np.abs(steps.head.mixed - held[at + "heads"][3, 2]).max() < 1e-5
        stack = {"self": model}.get(part) or getattr(model, "encoder" if part == "encoder" else "decoder")
        attention = stack.layers[1].cross if part == "cross" else stack.layers[1].attention
        output = attention.output.weight.detach().numpy() @ steps.heads.reshape(-1)
        if attention.output.bias is not None:
            output = output + attention.output.bias.detach().numpy()
        assert np.abs(output - steps.output).max() < 1e-4


def test_what_the_layer_reads_gives_the_query():
    """x · W_Q is q, where positions do not turn it."""
    model = seeded("gpt2")
    steps = run_steps(model, IDS, 1, 2, 4)
    weight = model.layers[1].attention.qkv.weight.detach().numpy()[2 * 8 : 3 * 8]
    bias = model.layers[1].attention.qkv.bias.detach().numpy()[2 * 8 : 3 * 8]
    assert np.abs(weight @ steps.x + bias - steps.head.q).max() < 1e-5
