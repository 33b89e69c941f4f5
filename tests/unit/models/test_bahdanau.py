"""The LSTM encoder–decoder with additive attention, against the paper's equations written out in numpy."""

import numpy as np
import pytest
import torch

from models import ModelSpec, Source, SpecError, beam, build, decode
from models.bahdanau import ALIGNED, AttentiveState
from tests.support.small_models import lively

SPEC = ModelSpec("lstm-attention", vocab_size=11, d_model=8, n_layers=2, context_length=12)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, h, c, w_x, w_h, b):
    """One step of one text, the gates in torch's order."""
    i, f, g, o = np.split(w_x @ x + w_h @ h + b, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def by_hand(model, source, target):
    """Logits, alignment and annotations of one text, token by token."""
    w = {name: value.numpy() for name, value in model.state_dict().items()}
    spec, table = model.spec, w["embedding.tokens.weight"]
    d, half = spec.d_model, spec.d_model // 2
    bias = lambda at, layer: w.get(f"{at}bias_ih{layer}", 0.0) + w.get(f"{at}bias_hh{layer}", 0.0)
    x = table[source]
    for i in range(spec.n_layers):
        read = []
        for side, order in (("", range(len(x))), ("_reverse", reversed(range(len(x))))):
            h, c, out = np.zeros(half), np.zeros(half), np.zeros((len(x), half))
            at, layer = "encoder.recurrent.", f"_l{i}{side}"
            for j in order:
                h, c = lstm(x[j], h, c, w[f"{at}weight_ih{layer}"], w[f"{at}weight_hh{layer}"], bias(at, layer))
                out[j] = h
            read.append(out)
        x = np.concatenate(read, axis=1)
    annotations = x
    start = np.tanh(w["decoder.start.weight"] @ annotations[0, half:] + w.get("decoder.start.bias", 0.0))
    states = [(h, np.zeros(d)) for h in start.reshape(spec.n_layers, d)]
    logits, alignment = [], []
    for token in target:
        W, U, v = (w[f"decoder.attention.{name}"] for name in ("query.weight", "key.weight", "score"))
        e = np.array([v @ np.tanh(W @ states[0][0] + U @ h) for h in annotations])
        a = np.exp(e) / np.exp(e).sum()
        context = a @ annotations
        at = "decoder.cell."
        read = np.concatenate([table[token], context])
        states[0] = lstm(read, *states[0], w[f"{at}weight_ih"], w[f"{at}weight_hh"], bias(at, ""))
        for i in range(1, spec.n_layers):
            at, layer = "decoder.recurrent.", f"_l{i - 1}"
            states[i] = lstm(
                states[i - 1][0], *states[i], w[f"{at}weight_ih{layer}"], w[f"{at}weight_hh{layer}"], bias(at, layer)
            )
        joined = np.concatenate([states[-1][0], context])
        hidden = np.tanh(w["decoder.output.weight"] @ joined + w.get("decoder.output.bias", 0.0))
        logits.append(table @ hidden)
        alignment.append(a)
    return np.array(logits), np.array(alignment), annotations


@pytest.mark.parametrize("n_layers", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("hook", [None, lambda name, value: value], ids=["fused", "traced"])
def test_it_computes_the_papers_equations(n_layers, bias, hook):
    model = lively(SPEC.replace(n_layers=n_layers, bias=bias))
    source, target = [1, 5, 2, 9, 7], [0, 3, 3, 10]
    expected, _, annotations = by_hand(model, source, target)
    made = model(torch.tensor([target]), source=Source(torch.tensor([source])), hook=hook)
    assert made.logits[0].detach().numpy() == pytest.approx(expected, abs=1e-12)
    assert model.encode(torch.tensor([source]))[0].detach().numpy() == pytest.approx(annotations, abs=1e-12)


def test_the_alignment_is_that_of_the_equations_and_its_rows_sum_to_one():
    model, seen = lively(SPEC), {}
    source, target = [1, 5, 2, 9, 7], [0, 3, 3, 10]
    model(torch.tensor([target]), source=Source(torch.tensor([source])), hook=lambda n, v: seen.setdefault(n, v))
    weights = seen["decoder.layers.0.cross.weights"].detach()
    assert weights.shape == (1, 1, len(target), len(source))
    assert weights[0, 0].numpy() == pytest.approx(by_hand(model, source, target)[1], abs=1e-12)
    assert weights.sum(-1).numpy() == pytest.approx(1.0)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("hook", [None, lambda name, value: value], ids=["fused", "traced"])
def test_padding_of_the_source_is_never_seen(side, hook):
    model = lively(SPEC)
    source, target = torch.tensor([[1, 5, 2]]), torch.tensor([[0, 3, 4]])
    alone = model(target, source=Source(source)).logits
    ids, mask = torch.randint(0, 11, (2, 7)), torch.ones(2, 7, dtype=torch.bool)
    place = slice(4, 7) if side == "left" else slice(0, 3)
    ids[0, place], mask[0] = source[0], False
    mask[0, place] = True
    seen = {}
    made = model(
        target.expand(2, -1),
        source=Source(ids, mask),
        hook=hook and (lambda name, value: seen.setdefault(name, value)),
    )
    assert torch.allclose(made.logits[:1], alone, atol=1e-12)
    if hook:
        weights = seen["decoder.layers.0.cross.weights"][0, 0]
        assert (weights[:, ~mask[0]] == 0).all() and weights.sum(-1).detach().numpy() == pytest.approx(1.0)


@pytest.mark.parametrize("pieces", [(1, 1, 1, 1, 1), (2, 3), (4, 1)])
def test_a_target_in_pieces_is_the_same_as_at_once(pieces):
    model = lively(SPEC.replace(n_layers=3))
    ids, mask = torch.randint(0, 11, (3, 5)), torch.ones(3, 6, dtype=torch.bool)
    mask[1, 4:] = mask[2, :2] = False
    source = Source(torch.randint(0, 11, (3, 6)), mask)
    whole, state, parts = model(ids, source=source).logits, model.initial_state(3), []
    for i, piece in enumerate(ids.split(list(pieces), dim=1)):
        out = model(piece, state=state, source=source if not i else None)
        state = out.state
        parts.append(out.logits)
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-12)


def test_a_state_can_be_reordered():
    model = lively(SPEC)
    source, ids = Source(torch.randint(0, 11, (3, 6))), torch.randint(0, 11, (3, 4))
    rows = torch.tensor([2, 0, 0])
    state = model(ids, state=model.initial_state(3), source=source).state.select(rows)
    more = torch.randint(0, 11, (3, 2))
    again = model(torch.cat([ids[rows], more], 1), source=Source(source.ids[rows])).logits[:, 4:]
    assert torch.allclose(model(more, state=state).logits, again, atol=1e-12)
    assert AttentiveState().select(rows) == AttentiveState()


@pytest.mark.parametrize(
    "name", [f"layers.0.{name}" for name in (*ALIGNED, "gates.forget", "cell")] + ["layers.1.hidden"]
)
def test_what_a_hook_changes_stays_and_all_that_follows_is_computed_again(name):
    model = lively(SPEC)
    source, ids = Source(torch.randint(0, 11, (2, 5))), torch.randint(0, 11, (2, 4))
    seen, at = {}, 2

    def change(found, value):
        if found == f"decoder.{name}":
            value = value.clone()
            value.select(-2, at)[...] = 0.25
        return seen.setdefault(found, value)

    before = model(ids, source=source).logits
    after = model(ids, source=source, hook=change).logits
    assert torch.allclose(after[:, :at], before[:, :at], atol=1e-12)
    assert not torch.allclose(after[:, at], before[:, at]) and not torch.allclose(after[:, at + 1], before[:, at + 1])
    assert (seen[f"decoder.{name}"].select(-2, at) == 0.25).all()


def test_a_changed_alignment_changes_the_context():
    model, seen = lively(SPEC), {}
    source, ids = torch.randint(0, 11, (1, 5)), torch.randint(0, 11, (1, 3))

    def only_the_last(name, value):
        if name.endswith("cross.weights"):
            value = torch.zeros_like(value)
            value[..., -1] = 1.0
        return seen.setdefault(name, value)

    model(ids, source=Source(source), hook=only_the_last)
    last = model.encode(source)[:, -1:].expand(-1, 3, -1)
    assert torch.allclose(seen["decoder.layers.0.cross.output"], last, atol=1e-12)


def test_a_source_is_needed_and_only_even_widths_divide():
    model = build(SPEC)
    with pytest.raises(SpecError, match="source"):
        model(torch.tensor([[1]]))
    with pytest.raises(SpecError, match="source"):
        next(decode(model, [1], 2))
    with pytest.raises(SpecError, match="try 8"):
        SPEC.replace(d_model=9)
    with pytest.raises(SpecError, match="both ways already"):
        SPEC.replace(bidirectional=True)


def test_it_learns_to_reverse():
    torch.manual_seed(0)
    spec = SPEC.replace(vocab_size=12, d_model=32, n_layers=1)
    model, bos = build(spec), 0
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        source = torch.randint(1, 12, (64, 6))
        target = source.flip(1)
        shown = torch.cat([torch.full((64, 1), bos), target[:, :-1]], dim=1)
        loss = torch.nn.functional.cross_entropy(
            model(shown, source=Source(source)).logits.flatten(0, 1), target.flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    source = torch.randint(1, 12, (20, 6)).tolist()
    written = [list(decode(model, [bos], 6, source_ids=text)) for text in source]
    right = sum(made == text[::-1] for made, text in zip(written, source, strict=True))
    assert right >= 18
    assert beam(model, [bos], 6, width=3, source_ids=source[0])[0][0] == written[0]
    seen = {}
    model(
        torch.tensor([[bos, *source[0][:0:-1]]]),
        source=Source(torch.tensor(source[:1])),
        hook=lambda n, v: seen.setdefault(n, v),
    )
    aligned = seen["decoder.layers.0.cross.weights"][0, 0].argmax(-1)
    assert (aligned.sort(descending=True).values == aligned).sum() >= 5  # it walks from the end to the beginning
