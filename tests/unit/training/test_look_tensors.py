"""The numbers of a look are the model's own: activations, gradients, weights, and how they changed."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from models.factory import build
from models.spec import ModelSpec
from playground.inspection.capture import capture
from playground.runs.look import LookRequest
from playground.text.targets import IGNORE_INDEX
from playground.training import look_tensors
from playground.training.device import Device
from playground.training.load_model import load_model
from playground.training.look_text import LookText
from tests.support.small_models import lively
from tests.support.watched import RUNS, STEPS, make, train, watched


@pytest.mark.parametrize("name", RUNS)
def test_every_tensor_is_that_of_capture_on_the_checkpoint_of_its_step(new_run, name):
    run = make(new_run, name, keep_steps=STEPS)
    with watched([LookRequest(), LookRequest(kind="change")]) as frames:
        train(run)
    values = {}
    for frame in frames:
        about, model = frame.about, load_model(run, frame.about["step"])
        found = values[about["step"]] = capture(model, about["ids"], about["source_ids"])
        assert set(frame.tensors) <= set(found) and "logits" in frame.tensors
        assert not {name for name in found if look_tensors.is_default(name)} - set(frame.tensors)
        for each, tensor in frame.tensors.items():
            expected = found[each]
            if about["kind"] == "change":
                before = capture(load_model(run, about["since"]), about["ids"], about["source_ids"])
                expected = expected - before[each]
            assert tensor.dtype == np.float16
            np.testing.assert_allclose(tensor, expected, rtol=2**-11, atol=2e-6, err_msg=each)
        asked = torch.tensor(about["targets"])
        loss = F.cross_entropy(torch.from_numpy(found["logits"]), asked, ignore_index=IGNORE_INDEX)
        assert about["loss"] == pytest.approx(float(loss), rel=1e-5)
        likely = torch.from_numpy(found["logits"])[about["position"]].softmax(-1).topk(16)
        assert [p for _, _, p in about["likeliest"]] == pytest.approx(likely.values.tolist(), abs=2e-6)
    assert len(values) == 12
    assert [frame.about["since"] for frame in frames[1::2]] == list(range(1, 13, 2)), "the last look"


def test_the_change_of_a_step_is_that_of_two_checkpoints(new_run):
    run = make(new_run, "lstm", keep_steps=STEPS)
    with watched([LookRequest(kind="weights"), LookRequest(kind="weights_change")]) as frames:
        train(run)
    on_disk = {step: load_file(run.checkpoint(step) / "model.safetensors") for step in STEPS}
    assert len(frames) == 12
    for frame in frames:
        step, weights = frame.about["step"], on_disk[frame.about["step"]]
        assert frame.tensors.keys() == weights.keys()
        for name, tensor in weights.items():
            expected = tensor.numpy()
            if frame.about["kind"] == "weights_change":
                assert frame.about["since"] == step - 1
                expected = expected - on_disk[step - 1][name].numpy()
            if name in frame.about["sampled"]:
                assert frame.about["sampled"][name] == list(tensor.shape)
                expected = blocks(expected)
            np.testing.assert_allclose(frame.tensors[name], expected, rtol=2**-11, atol=2e-7, err_msg=name)
    assert "embedding.tokens.weight" in frames[0].about["sampled"]


def blocks(matrix: np.ndarray, most: int = 64) -> np.ndarray:
    """Means over at most 64 × 64 blocks, one by one."""
    edges = [[i * size // min(size, most) for i in range(min(size, most) + 1)] for size in matrix.shape]
    rows, columns = (list(zip(each, each[1:])) for each in edges)
    return np.array([[matrix[a:b, c:d].astype(float).mean() for c, d in columns] for a, b in rows])


@pytest.mark.parametrize("shape", [(64, 64), (65, 3), (3, 129), (100, 257), (7, 7)])
def test_a_large_matrix_is_averaged_over_blocks_that_do_not_overlap(shape):
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(look_tensors.block_means(matrix), blocks(matrix), atol=1e-5)


ARCHITECTURES = [
    ("rnn", {}),
    ("gru", {}),
    ("lstm", {"bidirectional": True}),
    ("decoder", {"n_heads": 2}),
    ("encoder", {"n_heads": 2}),
    ("encoder-decoder", {"n_heads": 2}),
    ("lstm-attention", {}),
]


@pytest.mark.parametrize(("architecture", "more"), ARCHITECTURES)
def test_gradients_are_the_change_of_the_loss_when_an_activation_changes(architecture, more):
    """Finite differences in double precision: a gate at a token counts with all that it does to later tokens."""

    spec = ModelSpec(architecture, vocab_size=20, d_model=8, n_layers=2, context_length=12, **more)
    model = lively(spec)
    targets = torch.tensor([3, IGNORE_INDEX, 5, 1, IGNORE_INDEX, 2])
    text = LookText([7, 4, 9, 1, 12, 3], targets.tolist(), [3, 5, 2, 8, 11] if spec.reads_pairs else None, 5)
    device = Device("cpu", 0, "", torch.float32, False)
    found = look_tensors.gradients(model, text, device, lambda name: True)
    random_places = np.random.default_rng(0)

    def loss(name: str, place: tuple[int, ...], more: float) -> float:
        def hook(seen, value):
            if seen == name:
                value = value.clone()
                value[(0, *place)] += more
            return value

        with torch.no_grad():
            logits = model(**text.inputs(torch.device("cpu")), hook=hook).logits
        return F.cross_entropy(logits[0], targets, ignore_index=IGNORE_INDEX).item()

    for name, gradient in found.values.items():
        if name == "logits":
            continue
        for _ in range(3):
            place = tuple(int(random_places.integers(0, size)) for size in gradient.shape)
            slope = (loss(name, place, 1e-5) - loss(name, place, -1e-5)) / 2e-5
            assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-6), (name, place)
    logits = model(**text.inputs(torch.device("cpu"))).logits[0].detach()
    asked = targets != IGNORE_INDEX
    hot = F.one_hot(targets.clamp(min=0), spec.vocab_size)
    expected = (logits.softmax(-1) - hot) * asked[:, None] / asked.sum()  # p − y
    np.testing.assert_allclose(found.values["logits"], expected.numpy(), atol=1e-6)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["gru", "decoder", "encoder-decoder"])
def test_gradients_are_those_of_the_checkpoint_of_that_step(new_run, name):
    run = make(new_run, name, keep_steps=STEPS)
    with watched([LookRequest(kind="gradients")]) as frames:
        train(run)
    for frame in (frames[0], frames[-1]):
        about, model = frame.about, load_model(run, frame.about["step"])
        text = LookText(about["ids"], about["targets"], about["source_ids"], about["position"])
        held, inputs = {}, text.inputs(torch.device("cpu"))

        def keep(name, value, held=held):
            if name.endswith(("embeddings", "final", ".output", ".mlp.hidden")):
                value.retain_grad()
                held[name] = value
            return value

        logits = model(**inputs, hook=keep).logits
        F.cross_entropy(logits[0], torch.tensor(about["targets"]), ignore_index=IGNORE_INDEX).backward()
        compared = 0
        for each, value in held.items():
            if each in frame.tensors and value.grad is not None:
                np.testing.assert_allclose(frame.tensors[each], value.grad[0], rtol=2**-10, atol=1e-7, err_msg=each)
                compared += 1
        assert compared >= 3


def test_the_default_set_of_a_larger_model_stays_below_a_megabyte():
    """As large as the gallery's: what is optional gives way in all layers at once."""

    spec = ModelSpec("decoder", vocab_size=4096, d_model=384, n_layers=6, n_heads=6, context_length=64)
    text = LookText(list(range(64)), None, None, 63)
    reading = look_tensors.activations(
        build(spec).eval(), text, Device("cpu", 0, "", torch.float32, False), look_tensors.is_default
    )
    shown = look_tensors.within_room(reading.values)
    assert sum(value.size for value in shown.values()) * 2 < 1.3 * 2**20
    assert {"embeddings", "layers.0.attention.weights", "layers.5.output", "final", "logits"} <= shown.keys()
    assert not any(name.endswith(".mlp.hidden") for name in shown)
