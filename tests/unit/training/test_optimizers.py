import pytest
import torch
from torch import nn

from models.factory import build
from models.spec import ModelSpec
from playground.runs.config import TrainingSpec
from playground.training.optimizers import (
    LearningRates,
    Muon,
    build_optimizers,
    init_state,
    optimizer_tensors,
    orthogonalize,
    restore_optimizers,
)

SPEC = ModelSpec("decoder", vocab_size=50, d_model=32, n_layers=2, n_heads=2, context_length=8)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 48, 16), (2, 16, 48)])
def test_orthogonalize_keeps_directions_and_levels_singular_values(shape):
    """Against the SVD: the same singular vectors, all singular values near 1 (the quintic wanders in 0.7–1.2)."""
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    result = orthogonalize(matrices)
    assert result.dtype == torch.float32
    assert torch.linalg.svdvals(result).amin() > 0.6
    assert torch.linalg.svdvals(result).amax() < 1.3
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    inside = u.mT @ result @ v.mT
    off_diagonal = inside - torch.diag_embed(inside.diagonal(dim1=-2, dim2=-1))
    assert off_diagonal.abs().max() < 1e-4


def test_muon_step_is_the_formula():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(24, 8))
    before, gradient = weight.detach().clone(), torch.randn(24, 8)
    optimizer = Muon([{"params": [weight], "maps": 3}], lr=0.1, momentum=0.9)
    weight.grad = gradient.clone()
    optimizer.step()
    momentum = 0.1 * gradient
    looking_ahead = 0.1 * gradient + 0.9 * momentum
    # [24, 8] as three fused 8 × 8 maps, each orthogonalised on its own.
    update = orthogonalize(looking_ahead.view(3, 8, 8)).view(24, 8)
    torch.testing.assert_close(weight.detach(), before - 0.1 * update)


@pytest.mark.parametrize("architecture, maps", [("decoder", {1, 3}), ("rnn", {1}), ("gru", {3}), ("lstm", {4})])
def test_muon_orthogonalises_each_map_of_a_fused_matrix(architecture, maps):
    model = build(SPEC.replace(architecture=architecture))
    muon = build_optimizers(model, TrainingSpec(optimizer="muon"), "cpu")[-1]
    assert {group["maps"] for group in muon.param_groups} == maps


@pytest.mark.parametrize("architecture, maps", [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_muon_finds_the_gates_of_layers_that_read_both_ways(architecture, maps):
    """Half as wide as what they read: the shape alone does not tell how many maps there are."""
    model = build(SPEC.replace(architecture=architecture, bidirectional=True))
    muon = build_optimizers(model, TrainingSpec(optimizer="muon"), "cpu")[-1]
    assert {group["maps"] for group in muon.param_groups} == {maps}


def test_muon_takes_block_matrices_and_adamw_the_rest():
    model = build(SPEC)
    adamw, muon = build_optimizers(model, TrainingSpec(optimizer="muon"), "cpu")
    names = {p: name for name, p in model.named_parameters()}
    in_muon = [names[p] for group in muon.param_groups for p in group["params"]]
    in_adamw = [names[p] for group in adamw.param_groups for p in group["params"]]
    assert in_muon and all("layers." in name for name in in_muon)
    assert any("embed" in name for name in in_adamw)
    assert sorted(in_muon + in_adamw) == sorted(name for name, _ in model.named_parameters())


def test_vectors_are_not_decayed():
    model = build(SPEC)
    (adamw,) = build_optimizers(model, TrainingSpec(weight_decay=0.1), "cpu")
    for group in adamw.param_groups:
        assert {p.dim() >= 2 for p in group["params"]} == {group["weight_decay"] > 0}


@pytest.mark.parametrize("kind", ["adamw", "muon", "sgd"])
def test_a_restored_optimizer_goes_on_exactly(kind):
    training = TrainingSpec(optimizer=kind, lr=0.01)

    def steps(model, optimizers, n, seed):
        torch.manual_seed(seed)
        for _ in range(n):
            model(torch.randint(4, 50, (2, 8))).logits.square().mean().backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()

    torch.manual_seed(0)
    model = build(SPEC)
    optimizers = build_optimizers(model, training, "cpu")
    steps(model, optimizers, 3, 1)
    tensors = {k: v.clone() for k, v in optimizer_tensors(model, optimizers).items()}
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    steps(model, optimizers, 3, 2)

    twin = build(SPEC)
    twin.load_state_dict(weights)
    others = build_optimizers(twin, training, "cpu")
    restore_optimizers(twin, others, tensors)
    steps(twin, others, 3, 2)
    for name, value in model.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name


@pytest.mark.parametrize("kind, momentum", [("adamw", 0.95), ("muon", 0.95), ("sgd", 0.9), ("sgd", 0.0)])
def test_rates_on_the_device_and_state_made_beforehand_give_the_same_steps(kind, momentum):
    """What a recorded step needs changes nothing but the last digits: rates are float32 there."""
    training = TrainingSpec(optimizer=kind, lr=0.01, momentum=momentum)
    models = []
    for graphs in (False, True):
        torch.manual_seed(0)
        model = build(SPEC.replace(bias=False))  # a bias of keys has no gradient but noise
        optimizers = build_optimizers(model, training, "cpu", graphs=graphs)
        dials = LearningRates(optimizers, torch.device("cpu")) if graphs else None
        if graphs:
            init_state(optimizers)
        for step in range(4):
            model(torch.randint(4, 50, (2, 8))).logits.square().mean().backward()
            factor = 1 / (step + 1)
            if dials:
                dials.factor.fill_(factor)
                dials.apply()
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["lr"] if graphs else group["base_lr"] * factor
                optimizer.step()
                optimizer.zero_grad()
        models.append(model)
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_steps_that_are_recorded_count_on_the_device(kind):
    """Counted on the host, every replay of AdamW would correct its averages as at the step that was recorded."""
    for graphs in (False, True):
        optimizers = build_optimizers(build(SPEC), TrainingSpec(optimizer=kind), "cuda", graphs=graphs)
        adamw = [one for one in optimizers if isinstance(one, torch.optim.AdamW)]
        assert adamw and all(group["capturable"] == graphs for one in adamw for group in one.param_groups)
