import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from models import ModelSpec, SpecError, build
from models.transformer import Source
from tests.support.small_models import lively, source, tokens, transformer_specs

DECODERS = ("decoder", "encoder-decoder")
EXACT = {"atol": 1e-9, "rtol": 1e-9}


def keep(name, value):
    return value


def spec_of(architecture="decoder", **choices):
    shape = {"vocab_size": 13, "d_model": 16, "n_layers": 2, "context_length": 12, **choices}
    return ModelSpec(architecture, **shape)


@given(transformer_specs(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_watching_changes_nothing(spec, padded):
    model = lively(spec)
    ids, more = tokens(spec, 2, 6), source(model, 2)
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]]).bool() if padded else None
    fast, slow = model(ids, attention_mask=mask, **more), model(ids, attention_mask=mask, hook=keep, **more)
    torch.testing.assert_close(slow.logits, fast.logits, **EXACT)
    assert fast.logits.isfinite().all()


@pytest.mark.parametrize("position", ["sinusoidal", "learned", "rotary", "alibi", "none"])
def test_watching_changes_nothing_in_single_precision(position):
    model = build(spec_of(position=position, d_model=64, context_length=64)).eval()
    ids = tokens(model.spec, 2, 64)
    torch.testing.assert_close(model(ids, hook=keep).logits, model(ids).logits, atol=1e-5, rtol=0)


@given(
    transformer_specs(DECODERS),
    st.lists(st.integers(1, 3), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_text_in_pieces_equals_text_in_one(spec, pieces, padded, watched):
    total = sum(pieces)
    model = lively(spec.replace(context_length=max(spec.context_length, total)))
    ids, sources = tokens(spec, 3, total), source(model, 3)
    more = sources
    mask = torch.arange(total) >= torch.tensor([[0], [1], [total - 1]]) if padded else None
    state = model.initial_state(3, max_length=2)  # too small: it has to grow
    logits, start = [], 0
    for piece in ids.split(pieces, dim=1):
        end = start + piece.shape[1]
        part = mask[:, start:end] if padded else None
        out = model(piece, attention_mask=part, state=state, hook=keep if watched else None, **more)
        state, start, more = out.state, end, {}
        logits.append(out.logits)
    assert state.length == total
    whole = model(ids, attention_mask=mask, **sources).logits
    torch.testing.assert_close(torch.cat(logits, dim=1), whole, **EXACT)


@pytest.mark.parametrize("architecture", DECODERS)
@given(place=st.integers(0, 7), spec=transformer_specs(("decoder",)))
@settings(max_examples=30, deadline=None)
def test_the_causal_mask_hides_the_future(architecture, place, spec):
    model = lively(spec.replace(architecture=architecture, context_length=8))
    ids, more = tokens(spec, 1, 8), source(model, 1)
    other = ids.clone()
    other[0, place] = (ids[0, place] + 1) % spec.vocab_size
    first, second = model(ids, **more).logits[0], model(other, **more).logits[0]
    assert torch.equal(first[:place], second[:place])


def test_a_token_changes_what_comes_after_it():
    model = lively(spec_of())
    ids = torch.zeros(1, 8, dtype=torch.long)
    other = ids.clone()
    other[0, 3] = 1
    assert (model(ids).logits[0] != model(other).logits[0]).any(dim=-1).tolist() == [False] * 3 + [True] * 5


def test_an_encoder_sees_the_future():
    model = lively(spec_of("encoder"))
    ids = tokens(model.spec, 1, 8)
    other = ids.clone()
    other[0, -1] = (ids[0, -1] + 1) % 13
    assert (model(ids).logits[0] != model(other).logits[0]).any(dim=-1).all()


@given(transformer_specs(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_padding_on_either_side_changes_nothing(spec, left):
    model = lively(spec)
    lengths = [6, 4, 1]
    ids, more = tokens(spec, 3, 6), source(model, 3)
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    mask = mask.flip(1) if left else mask
    logits = model(ids, attention_mask=mask, **more).logits
    assert logits.isfinite().all()
    for row in range(3):
        mine = {name: Source(value.ids[row : row + 1]) for name, value in more.items()}
        alone = model(ids[row : row + 1, mask[row]], **mine).logits[0]
        torch.testing.assert_close(logits[row, mask[row]], alone, **EXACT)


def test_padding_of_the_source_changes_nothing():
    model = lively(spec_of("encoder-decoder"))
    ids, source_ids = tokens(model.spec, 1, 5), tokens(model.spec, 1, 4)
    padded = F.pad(source_ids, (0, 3))
    mask = torch.arange(7)[None] < 4
    expected = model(ids, source=Source(source_ids)).logits
    torch.testing.assert_close(model(ids, source=Source(padded, mask)).logits, expected, **EXACT)
    memory = model.encode(padded, mask)
    torch.testing.assert_close(model(ids, source=Source(padding_mask=mask, memory=memory)).logits, expected, **EXACT)
    state = model.initial_state(1)
    first = model(ids[:, :2], source=Source(padded, mask), state=state).logits
    second = model(ids[:, 2:], state=state).logits
    torch.testing.assert_close(torch.cat([first, second], 1), expected, **EXACT)


def test_a_padded_batch_trains_without_nan():
    model = build(spec_of())
    mask = torch.arange(6) >= torch.tensor([[0], [3], [6]])  # the last text is nothing but padding
    model(tokens(model.spec, 3, 6), attention_mask=mask).logits.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("position", ["sinusoidal", "learned", "rotary", "alibi"])
def test_places_of_ones_own(position):
    model = lively(spec_of(position=position))
    ids = tokens(model.spec, 2, 5)
    plain = model(ids).logits
    torch.testing.assert_close(model(ids, position_ids=torch.arange(5)).logits, plain, **EXACT)
    spread = model(ids, position_ids=torch.tensor([[0, 2, 4, 6, 8]]).expand(2, 5)).logits
    assert not torch.allclose(spread, plain)


@pytest.mark.parametrize("position", ["sinusoidal", "rotary", "alibi", "none"])
def test_computed_positions_reach_beyond_the_context(position):
    model = lively(spec_of(position=position))
    ids = tokens(model.spec, 1, 40)
    whole = model(ids).logits
    assert whole.isfinite().all()
    state = model.initial_state(1)
    pieces = [model(piece, state=state).logits for piece in ids.split(9, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, 1), whole, **EXACT)


@pytest.mark.parametrize("position_ids", [None, torch.arange(1, 13)])
def test_learned_positions_end_where_they_end(position_ids):
    model = build(spec_of())
    ids = tokens(model.spec, 1, 13 if position_ids is None else 12)
    with pytest.raises(SpecError, match="has learned 12 positions, not 13"):
        model(ids, position_ids=position_ids)


def test_rows_get_the_logits_they_would_have_had():
    for architecture in ("encoder", "encoder-decoder", "lstm"):
        model = lively(spec_of(architecture))
        ids, more = tokens(model.spec, 3, 5), source(model, 3)
        rows = torch.tensor([0, 7, 14])
        whole = model(ids, **more).logits.flatten(0, 1)
        torch.testing.assert_close(model(ids, rows=rows, **more).logits, whole[rows], **EXACT)


def test_a_decoder_layer_is_torchs_own_layer():
    """Post-norm encoder layers with biases are nn.TransformerEncoderLayer, with the weights copied over."""
    model = lively(spec_of("encoder", norm_position="post", mlp="relu", position="none", d_mlp=40))
    own = torch.nn.TransformerEncoderLayer(16, 4, 40, dropout=0.0, batch_first=True).double().eval()
    ours = model.layers[0]
    pairs = {
        "self_attn.in_proj_": ours.attention.qkv,
        "self_attn.out_proj.": ours.attention.output,
        "linear1.": ours.mlp.up,
        "linear2.": ours.mlp.down,
        "norm1.": ours.attention_norm,
        "norm2.": ours.mlp_norm,
    }
    own.load_state_dict({n + k: v for n, module in pairs.items() for k, v in module.state_dict().items()})
    seen = {}
    model(tokens(model.spec, 2, 6), hook=lambda name, value: seen.setdefault(name, value))
    torch.testing.assert_close(seen["layers.0.output"], own(seen["embeddings"]), **EXACT)


def test_gelu_by_tanh_is_the_formula_of_gpt2():
    """0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), as in OpenAI's code; the exact one differs by up to 5e-4."""
    mlp = lively(spec_of("decoder", mlp="gelu_tanh", d_mlp=40)).layers[0].mlp
    x = torch.randn(3, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    h = mlp.up(x)
    bent = 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
    torch.testing.assert_close(mlp(x), mlp.down(bent), **EXACT)
    assert not torch.allclose(bent, torch.nn.functional.gelu(h), atol=1e-7)


def test_a_cross_attending_layer_is_torchs_own_layer():
    model = lively(spec_of("encoder-decoder", mlp="gelu", position="none", d_mlp=40))
    own = torch.nn.TransformerDecoderLayer(16, 4, 40, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    own, ours = own.double().eval(), model.decoder.layers[0]
    pairs = {
        "self_attn.in_proj_": ours.attention.qkv,
        "self_attn.out_proj.": ours.attention.output,
        "multihead_attn.out_proj.": ours.cross.output,
        "linear1.": ours.mlp.up,
        "linear2.": ours.mlp.down,
        "norm1.": ours.attention_norm,
        "norm2.": ours.cross_norm,
        "norm3.": ours.mlp_norm,
    }
    weights = {n + k: v for n, module in pairs.items() for k, v in module.state_dict().items()}
    for name in ("weight", "bias"):
        q, kv = getattr(ours.cross.q, name), getattr(ours.cross.kv, name)
        weights[f"multihead_attn.in_proj_{name}"] = torch.cat([q, kv])
    own.load_state_dict(weights)
    seen = {}
    ids = tokens(model.spec, 2, 6)
    model(ids, source=Source(ids[:, :4]), hook=lambda name, value: seen.setdefault(name, value))
    causal = torch.nn.Transformer.generate_square_subsequent_mask(6, dtype=torch.double)
    expected = own(seen["decoder.embeddings"], seen["encoder.final"], tgt_mask=causal)
    torch.testing.assert_close(seen["decoder.layers.0.output"], expected, **EXACT)


def test_the_tap_sees_every_name():
    model = lively(spec_of("encoder-decoder", n_layers=1, n_kv_heads=2))
    shapes = {}
    ids = tokens(model.spec, 2, 6)
    model(ids, source=Source(ids[:, :5]), hook=lambda n, x: (shapes.setdefault(n, list(x.shape)), x)[1])
    attention = {"q": 4, "k": 2, "v": 2}
    for prefix, queries, keys in (
        ("encoder.layers.0.attention", 5, 5),
        ("decoder.layers.0.attention", 6, 6),
        ("decoder.layers.0.cross", 6, 5),
    ):
        for name, heads in attention.items():
            assert shapes[f"{prefix}.{name}"] == [2, heads, queries if name == "q" else keys, 4]
        assert shapes[f"{prefix}.scores"] == shapes[f"{prefix}.weights"] == [2, 4, queries, keys]
        assert shapes[f"{prefix}.heads"] == [2, 4, queries, 4]
        assert shapes[f"{prefix}.output"] == [2, queries, 16]
    assert shapes["decoder.layers.0.mlp.hidden"] == [2, 6, 64]
    for name in ("embeddings", "layers.0.mlp.output", "layers.0.output", "final"):
        assert shapes[f"decoder.{name}"] == [2, 6, 16]
        assert shapes[f"encoder.{name}"] == [2, 5, 16]


def test_a_tap_can_ablate_a_head():
    model = lively(spec_of(n_layers=1))
    ids = tokens(model.spec, 1, 5)

    def silence(name, value):
        if name != "layers.0.attention.heads":
            return value
        value = value.clone()
        value[:, 2] = 0
        return value

    ablated = model(ids, hook=silence).logits
    with torch.no_grad():
        model.layers[0].attention.output.weight[:, 8:12] = 0
    torch.testing.assert_close(ablated, model(ids).logits, **EXACT)


def test_the_logit_lens_on_the_last_layer_is_the_model():
    for architecture, norm_position in (("decoder", "pre"), ("encoder", "post"), ("encoder-decoder", "pre")):
        model = lively(spec_of(architecture, norm_position=norm_position, logit_softcap=15.0))
        seen = {}
        ids = tokens(model.spec, 1, 5)
        out = model(ids, **source(model, 1), hook=lambda name, value, seen=seen: seen.setdefault(name, value))
        prefix = "decoder." if architecture == "encoder-decoder" else ""
        torch.testing.assert_close(model.logit_lens(seen[f"{prefix}layers.1.output"]), out.logits, **EXACT)


def test_select_reorders_the_cache():
    model = lively(spec_of("encoder-decoder", position="alibi"))
    ids, more = tokens(model.spec, 3, 6), source(model, 3)
    mask = torch.arange(6) >= torch.tensor([[0], [1], [2]])
    state = model(ids[:, :4], attention_mask=mask[:, :4], state=model.initial_state(3), **more).state
    rows = torch.tensor([2, 0])
    out = model(ids[rows, 4:], state=state.select(rows))
    expected = model(ids, attention_mask=mask, **more).logits[rows, 4:]
    torch.testing.assert_close(out.logits, expected, **EXACT)


def test_the_mask_may_cover_everything_so_far():
    model = lively(spec_of())
    ids = tokens(model.spec, 2, 6)
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
    state = model(ids[:, :4], attention_mask=mask[:, :4], state=model.initial_state(2)).state
    out = model(ids[:, 4:], attention_mask=mask, state=state)
    expected = model(ids, attention_mask=mask).logits[:, 4:]
    torch.testing.assert_close(out.logits, expected, **EXACT)


def test_an_encoder_has_no_state_and_a_source_is_needed():
    with pytest.raises(SpecError, match="has no state"):
        build(spec_of("encoder")).initial_state(1)
    with pytest.raises(SpecError, match="source"):
        build(spec_of("encoder-decoder"))(torch.zeros(1, 2, dtype=torch.long))


def test_dropout_is_on_only_while_training():
    model = build(spec_of(dropout=0.5))
    ids = tokens(model.spec, 1, 6)
    assert not torch.equal(model(ids).logits, model(ids).logits)
    model.eval()
    assert torch.equal(model(ids).logits, model(ids).logits)


@given(transformer_specs(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_tensor_is_made_where_the_model_is(spec, padded):
    """Torch's device without memory refuses to meet tensors of the CPU, as a GPU would."""
    model = build(spec).to("meta")
    mask = torch.ones(2, 4, dtype=torch.bool, device="meta") if padded else None
    ids = torch.zeros(2, 4, dtype=torch.long, device="meta")
    more = {"source": Source(ids)} if spec.architecture == "encoder-decoder" else {}
    assert model(ids, attention_mask=mask, **more).logits.is_meta
    if spec.is_causal:
        state = model.initial_state(2)
        for hook in (None, keep):
            out = model(
                ids[:, :2], attention_mask=None if mask is None else mask[:, :2], state=state, hook=hook, **more
            )
        assert out.logits.is_meta


@given(transformer_specs())
@settings(max_examples=30, deadline=None)
def test_mixed_precision_runs_on_every_path(spec):
    model = build(spec)
    ids, more = tokens(spec, 2, 5), source(model, 2)
    with torch.autocast("cpu", torch.bfloat16):
        fast, slow = model(ids, **more), model(ids, hook=keep, **more)
        if spec.is_causal:
            model(ids, state=model.initial_state(2), **more)
    fast.logits.float().sum().backward()
    torch.testing.assert_close(fast.logits.float(), slow.logits.float(), atol=0.1, rtol=0.1)
    half = build(spec).to(torch.bfloat16).eval()
    assert half(ids, **more).logits.isfinite().all()
