import pytest
import torch

from models import PRESETS, ModelSpec, SpecError, build, flops_per_token, memory, parameter_counts
from tests.support.small_models import source, tokens


def test_memory_adds_up():
    spec = PRESETS["gpt2-tiny"].spec.replace(vocab_size=65)
    parameters = sum(parameter_counts(spec).values())
    cost = memory(spec, batch_size=12)
    assert cost.weights == cost.gradients == 4 * parameters
    assert cost.optimizer == 8 * parameters
    assert cost.training == cost.weights + cost.gradients + cost.optimizer + cost.activations
    assert cost.kv_cache == 2 * 4 * 12 * 64 * 128 * 4  # keys and values, layers, batch, context, channels, bytes
    assert cost.inference == cost.weights + cost.kv_cache
    assert memory(spec, 12, "sgd").optimizer == 4 * parameters
    matrices = 4 * 12 * 128 * 128
    assert memory(spec, 12, "muon").optimizer == 4 * matrices + 8 * (parameters - matrices)
    assert memory(spec, 12, dtype_bytes=2).weights == 2 * parameters


def test_grouped_heads_shrink_the_cache():
    spec = ModelSpec("decoder", vocab_size=65)
    assert memory(spec.replace(n_kv_heads=1), 1).kv_cache * 4 == memory(spec, 1).kv_cache
    state = build(spec).initial_state(1)
    assert memory(spec, 1).kv_cache == sum(c.keys.nbytes + c.values.nbytes for c in state.layers)


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(SpecError, match="not an optimizer"):
        memory(ModelSpec("decoder"), 1, "adam2")


@pytest.mark.parametrize(
    "family", ["rnn", "gru", "lstm", "lstm-attention", "gpt2", "llama", "bert", "seq2seq", "modern"]
)
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_activations_are_what_autograd_keeps(family, dropout):
    """Within a fifth of the bytes that autograd saves for the backward pass of a training step."""
    spec = PRESETS[f"{family}-tiny"].spec.replace(vocab_size=65, dropout=dropout)
    model = build(spec)
    ids, more = tokens(spec, 8, 64), source(model, 8, 64)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = torch.nn.functional.cross_entropy(model(ids, **more).logits.flatten(0, 1), ids.flatten())
    measured = sum(size for size, _ in kept.values())
    assert loss.isfinite()
    assert memory(spec, 8).activations == pytest.approx(measured, rel=0.2)


def test_flops_of_a_dense_decoder():
    spec = PRESETS["gpt2-tiny"].spec.replace(vocab_size=65)
    cost = flops_per_token(spec)
    matrices = 4 * 12 * 128 * 128 + 65 * 128
    assert cost.forward == 2 * matrices + 4 * 4 * 64 * 128
    assert cost.training == 3 * cost.forward
    assert flops_per_token(spec, 1).forward == 2 * matrices + 4 * 4 * 128


@pytest.mark.parametrize("family", ["lstm-attention", "gpt2", "llama", "bert", "modern", "seq2seq"])
def test_flops_are_what_torch_counts(family):
    from torch.utils.flop_counter import FlopCounterMode

    spec = PRESETS[f"{family}-tiny"].spec.replace(vocab_size=65)
    model = build(spec).eval()
    ids, more = tokens(spec, 1, 64), source(model, 1, 64)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(ids, hook=lambda name, value: value, **more)
    assert flops_per_token(spec).forward * 64 == counter.get_total_flops()


def test_a_memory_span_changes_no_cost():
    spec = PRESETS["lstm-tiny"].spec.replace(vocab_size=65)
    assert flops_per_token(spec.replace(chrono_max_span=20)) == flops_per_token(spec)
    assert memory(spec.replace(chrono_max_span=20), 4, "muon") == memory(spec, 4, "muon")
