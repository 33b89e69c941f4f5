import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models import ModelSpec, SpecError, build
from tests.support.small_models import lively, recurrent_specs, tokens

KINDS = [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh"), ("gru", "tanh")]


def keep(name, value):
    return value


def spec_of(architecture, nonlinearity="tanh", **choices):
    shape = {"vocab_size": 11, "d_model": 16, "n_layers": 2, **choices}
    return ModelSpec(architecture, nonlinearity=nonlinearity, **shape)


@pytest.mark.parametrize(("architecture", "nonlinearity"), KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_the_traced_steps_equal_the_fused_kernel(architecture, nonlinearity, bidirectional, bias, dtype, tolerance):
    model = build(spec_of(architecture, nonlinearity, bidirectional=bidirectional, bias=bias, d_model=64)).to(dtype)
    ids = tokens(model.spec, 3, 40)
    fused, traced = model(ids), model(ids, hook=keep)
    torch.testing.assert_close(traced.hidden, fused.hidden, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("kernel", "architecture"), [(nn.RNN, "rnn"), (nn.LSTM, "lstm"), (nn.GRU, "gru")])
def test_the_model_is_torchs_own_layer_between_embedding_and_head(kernel, architecture):
    model = lively(spec_of(architecture))
    own = kernel(16, 16, 2, batch_first=True).double()
    own.load_state_dict(model.recurrent.state_dict())
    ids = tokens(model.spec, 2, 9)
    hidden, _ = own(model.embedding.tokens(ids))
    expected = hidden @ model.embedding.tokens.weight.T
    torch.testing.assert_close(model(ids).logits, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(model(ids, hook=keep).logits, expected, atol=1e-10, rtol=0)


def test_lstm_gates_satisfy_the_textbook_equations():
    model = lively(spec_of("lstm", n_layers=1))
    seen = {}
    model(tokens(model.spec, 2, 6), hook=lambda name, value: seen.setdefault(name, value))
    gate = {name: seen[f"layers.0.gates.{name}"] for name in ("input", "forget", "cell", "output")}
    cell, hidden = seen["layers.0.cell"], seen["layers.0.hidden"]
    before = torch.cat([torch.zeros_like(cell[:, :1]), cell[:, :-1]], dim=1)
    torch.testing.assert_close(cell, gate["forget"] * before + gate["input"] * gate["cell"])
    torch.testing.assert_close(hidden, gate["output"] * cell.tanh())


def test_gru_gates_satisfy_the_textbook_equations():
    model = lively(spec_of("gru", n_layers=1))
    seen = {}
    model(tokens(model.spec, 2, 6), hook=lambda name, value: seen.setdefault(name, value))
    update, candidate = seen["layers.0.gates.update"], seen["layers.0.gates.candidate"]
    hidden = seen["layers.0.hidden"]
    before = torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, :-1]], dim=1)
    torch.testing.assert_close(hidden, (1 - update) * candidate + update * before)
    assert seen["layers.0.gates.reset"].shape == (2, 6, 16)


@given(recurrent_specs(bidirectional=False), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_text_in_pieces_equals_text_in_one(spec, pieces, traced):
    model = lively(spec)
    ids = tokens(spec, 2, sum(pieces))
    state = model.initial_state(2)
    logits = []
    for piece in ids.split(pieces, dim=1):
        out = model(piece, state=state, hook=keep if traced else None)
        state = out.state
        logits.append(out.logits)
    torch.testing.assert_close(torch.cat(logits, dim=1), model(ids).logits, atol=1e-10, rtol=0)


@given(recurrent_specs(), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_padding_on_either_side_changes_nothing(spec, left, traced):
    model = lively(spec)
    lengths = [6, 3, 1]
    ids = tokens(spec, 3, 6)
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    mask = mask.flip(1) if left else mask
    out = model(ids, attention_mask=mask, hook=keep if traced else None)
    for row in range(3):
        alone = model(ids[row : row + 1, mask[row]])
        torch.testing.assert_close(out.logits[row, mask[row]], alone.logits[0], atol=1e-10, rtol=0)


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("traced", [False, True])
def test_a_state_stands_still_where_the_text_has_ended(architecture, traced):
    model = lively(spec_of(architecture))
    ids = tokens(model.spec, 2, 8)
    mask = torch.ones(2, 8, dtype=torch.bool)
    mask[1, 3:] = False
    hook = keep if traced else None
    state = model.initial_state(2)
    for start in (0, 4):
        piece = slice(start, start + 4)
        state = model(ids[:, piece], attention_mask=mask[:, piece], state=state, hook=hook).state
    alone = model(ids[1:, :3], state=model.initial_state(1)).state
    torch.testing.assert_close(state.hidden[:, 1:], alone.hidden, atol=1e-12, rtol=0)
    if architecture == "lstm":
        torch.testing.assert_close(state.cell[:, 1:], alone.cell, atol=1e-12, rtol=0)


def test_an_ablated_gate_changes_the_memory_that_follows():
    model = lively(spec_of("lstm", n_layers=1))
    ids = tokens(model.spec, 1, 7)

    def forget_everything(name, value):
        return torch.zeros_like(value) if name == "layers.0.gates.forget" else value

    ablated = model(ids, hook=forget_everything).hidden
    with torch.no_grad():  # the same by surgery: a gate that is always shut
        model.recurrent.bias_ih_l0[16:32] = -1e9
    torch.testing.assert_close(ablated, model(ids).hidden, atol=1e-10, rtol=0)


def test_an_ablated_channel_is_silent_at_every_later_step_too():
    model = lively(spec_of("gru", n_layers=1))
    ids = tokens(model.spec, 1, 7)

    def silence(name, value):
        if name != "layers.0.hidden":
            return value
        value = value.clone()
        value[..., 0] = 0
        return value

    ablated = model(ids, hook=silence).hidden
    with torch.no_grad():  # the same by surgery: a unit whose outgoing recurrent weights are zero
        model.recurrent.weight_hh_l0[:, 0] = 0
    expected = model(ids).hidden.clone()
    torch.testing.assert_close(ablated[..., 1:], expected[..., 1:], atol=1e-10, rtol=0)
    assert (ablated[..., 0] == 0).all()


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru"])
def test_recurrent_matrices_start_orthogonal(architecture):
    model = build(spec_of(architecture))
    for gate in model.recurrent.weight_hh_l1.split(16):
        torch.testing.assert_close(gate @ gate.T, torch.eye(16), atol=1e-5, rtol=0)


def test_the_forget_gate_starts_open():
    model = build(spec_of("lstm"))
    for layer in "01":
        bias = getattr(model.recurrent, f"bias_ih_l{layer}") + getattr(model.recurrent, f"bias_hh_l{layer}")
        assert bias[16:32].tolist() == [1.0] * 16
        assert bias[:16].tolist() + bias[32:].tolist() == [0.0] * 48


def test_a_bidirectional_model_sees_the_future_and_has_no_state():
    model = lively(spec_of("lstm", bidirectional=True))
    ids = tokens(model.spec, 1, 6)
    other = ids.clone()
    other[0, -1] = (ids[0, -1] + 1) % 11
    assert not torch.allclose(model(ids).logits[0, 0], model(other).logits[0, 0])
    with pytest.raises(SpecError):
        model.initial_state(1)


def test_state_is_only_returned_when_asked_for():
    model = lively(spec_of("gru"))
    assert model(tokens(model.spec, 1, 3)).state is None


def test_select_reorders_the_batch():
    model = lively(spec_of("lstm"))
    ids = tokens(model.spec, 3, 4)
    state = model(ids, state=model.initial_state(3)).state.select(torch.tensor([2, 0]))
    expected = model(ids[[2, 0]], state=model.initial_state(2)).state
    torch.testing.assert_close(state.hidden, expected.hidden)
    torch.testing.assert_close(state.cell, expected.cell)
    assert not state.detach().hidden.requires_grad
