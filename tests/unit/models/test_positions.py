import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.factory import build
from models.positions import (
    INITIAL_TABLE_LENGTH,
    Positions,
    Rotary,
    Sinusoidal,
    alibi_bias,
    alibi_slopes,
    rotate,
    sinusoidal,
)
from models.spec import ModelSpec


@pytest.mark.parametrize("d_model", [8, 9])
def test_sinusoidal_is_the_published_formula(d_model):
    table = sinusoidal(30, d_model)
    assert table.shape == (30, d_model)
    for place in (0, 1, 7, 29):
        for channel in range(d_model):
            angle = place / 10000 ** ((channel - channel % 2) / d_model)
            expected = math.cos(angle) if channel % 2 else math.sin(angle)
            assert table[place, channel].item() == pytest.approx(expected, abs=1e-6)


def test_sinusoidal_grows():
    waves = Sinusoidal(4, 8)
    torch.testing.assert_close(waves(Positions(90, 10, None, 100)), sinusoidal(100, 8)[90:])


@given(i=st.integers(0, 200), j=st.integers(0, 200), shift=st.integers(0, 300), half=st.integers(1, 8))
@settings(deadline=None)
def test_rotary_scores_depend_on_the_distance_only(i, j, shift, half):
    torch.manual_seed(i)
    rotary = Rotary(2 * half, 10000.0, 16)
    q, k = torch.randn(2, 1, 1, 1, 2 * half)

    def score(query_place, key_place):
        turned_q = rotate(q, *rotary(Positions(query_place, 1, None, query_place + 1)))
        turned_k = rotate(k, *rotary(Positions(key_place, 1, None, key_place + 1)))
        return (turned_q * turned_k).sum().item()

    assert score(i, j) == pytest.approx(score(i + shift, j + shift), abs=2e-3)


def test_rotary_turns_channel_pairs_half_a_head_apart():
    rotary = Rotary(4, 100.0, 8)
    x = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])
    turned = rotate(x, *rotary(Positions(3, 1, None, 4)))[0, 0, 0].tolist()
    fast, slow = 3.0, 3.0 / 10  # angles 3·100^0 and 3·100^(-1/2)
    assert turned == pytest.approx(
        [
            1 * math.cos(fast) - 3 * math.sin(fast),
            2 * math.cos(slow) - 4 * math.sin(slow),
            3 * math.cos(fast) + 1 * math.sin(fast),
            4 * math.cos(slow) + 2 * math.sin(slow),
        ],
        abs=1e-6,
    )


def test_rotary_is_rotate_half_of_llama():
    x = torch.randn(2, 3, 7, 8)
    angles = torch.arange(7)[:, None] * (1.0 / 10000.0 ** (torch.arange(0, 8, 2).float() / 8))
    angles = torch.cat([angles, angles], dim=-1)
    rotate_half = torch.cat([-x[..., 4:], x[..., :4]], dim=-1)
    expected = x * angles.cos() + rotate_half * angles.sin()
    torch.testing.assert_close(rotate(x, *Rotary(8, 10000.0, 7)(Positions(0, 7, None, 7))), expected)


def test_rotary_takes_places_of_ones_own():
    rotary = Rotary(8, 10000.0, 8)
    x = torch.randn(2, 3, 2, 8)
    places = torch.tensor([[4, 1], [0, 30]])
    turned = rotate(x, *rotary(Positions(0, 2, places, 31)))
    for row, place in enumerate(places[:, 1].tolist()):
        alone = rotate(x[row : row + 1, :, 1:], *rotary(Positions(place, 1, None, place + 1)))
        torch.testing.assert_close(turned[row : row + 1, :, 1:], alone)


@pytest.mark.parametrize(
    ("heads", "slopes"),
    [
        (1, [2**-8]),
        (2, [2**-4, 2**-8]),
        (8, [2**-i for i in range(1, 9)]),
        (3, [2**-4, 2**-8, 2**-2]),
        (12, [2**-i for i in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]),
    ],
)
def test_alibi_slopes_are_the_papers(heads, slopes):
    assert alibi_slopes(heads) == pytest.approx(slopes)


def test_alibi_bias_falls_with_distance_to_both_sides():
    bias = alibi_bias(torch.tensor([1.0, 0.5]), torch.arange(3), torch.arange(3))
    assert bias[0].tolist() == [[0, -1, -2], [-1, 0, -1], [-2, -1, 0]]
    assert bias[1].tolist() == (bias[0] / 2).tolist()


@pytest.mark.parametrize("position", ["sinusoidal", "rotary", "alibi", "none"])
def test_a_long_context_takes_memory_when_a_text_is_as_long(position):
    """A run of a few kilobytes may say that its context is 100 million tokens: tables and caches grow with the text instead."""
    spec = ModelSpec("decoder", 16, d_model=8, n_layers=2, n_heads=2, context_length=10**8, position=position)
    model = build(spec).eval()
    state = model.initial_state(1)
    held = [*model.buffers(), *(layer.keys for layer in state.layers)]
    assert sum(tensor.numel() for tensor in held) < 10**6
    ids = torch.randint(16, (1, 1500))
    with torch.no_grad():
        whole = model(ids).logits
        parts = [model(part, state=state).logits for part in ids.split([700, 600, 200], dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-4, rtol=1e-4)


def test_tables_reach_as_far_as_a_text():
    places = Positions(INITIAL_TABLE_LENGTH + 3, 4, None, INITIAL_TABLE_LENGTH + 7)
    torch.testing.assert_close(
        Sinusoidal(10**8, 8)(places), sinusoidal(INITIAL_TABLE_LENGTH + 7, 8)[INITIAL_TABLE_LENGTH + 3 :]
    )
    cos, _ = Rotary(4, 100.0, 10**8)(places)
    torch.testing.assert_close(cos[:, 0], (INITIAL_TABLE_LENGTH + 3 + torch.arange(4.0)).cos())
