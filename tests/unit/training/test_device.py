"""What `auto` becomes, what is refused, and, where a GPU is, that training on it is the same training."""

import pytest
import torch

from playground.errors import PlaygroundError
from playground.runs.config import TrainingSpec
from playground.training import worker
from playground.training.device import choose_device

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_without_a_gpu_auto_is_the_cpu_in_float32_uncompiled():
    device = choose_device(TrainingSpec(threads=1))
    assert (device.kind, device.dtype, device.compile) == ("cpu", torch.float32, False)
    assert "CPU, 1 threads, float32" in device.describe()
    with pytest.raises(PlaygroundError, match="no CUDA GPU"):
        choose_device(TrainingSpec(device="cuda"))


def test_float16_on_a_cpu_is_refused_with_the_reason():
    with pytest.raises(PlaygroundError, match="underflow"):
        choose_device(TrainingSpec(device="cpu", dtype="float16"))


def test_bfloat16_on_a_cpu_trains(new_run):
    folder = new_run(training={"device": "cpu", "dtype": "bfloat16", "steps": 40, "eval_every": 20})
    assert worker.run(folder) == "finished"
    losses = [row["val_loss"] for row in folder.metrics()[0] if row["kind"] == "eval"]
    assert losses[-1] < losses[0]
    assert "bfloat16" in folder.status().device


@needs_cuda
def test_auto_is_cuda_with_bfloat16_and_the_fused_optimizer():
    device = choose_device(TrainingSpec())
    assert device.kind == "cuda" and device.dtype in (torch.bfloat16, torch.float16)
    assert torch.get_float32_matmul_precision() == "high"


@needs_cuda
@pytest.mark.parametrize("model", [{}, {"architecture": "lstm"}, {"architecture": "encoder"}])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_cuda_in_float32_has_the_losses_of_the_cpu(new_run, model, optimizer):
    objective = "mlm" if model.get("architecture") == "encoder" else "clm"
    curves = []
    for device in ("cpu", "cuda"):
        training = {"device": device, "dtype": "float32", "optimizer": optimizer, "objective": objective}
        folder = new_run(model, training)
        assert worker.run(folder) == "finished"
        curves.append([row["loss"] for row in folder.metrics()[0] if row["kind"] == "train"])
    assert curves[1] == pytest.approx(curves[0], rel=2e-2)


@needs_cuda
def test_compiled_training_learns(new_run):
    folder = new_run(training={"device": "cuda", "compile": "on", "steps": 40, "eval_every": 20})
    assert worker.run(folder) == "finished"
