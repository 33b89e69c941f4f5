"""What `auto` becomes, what is refused, and, where a GPU is, that training on it is the same training."""

import pytest
import torch

from playground.core.errors import PlaygroundError
from playground.runs.config import TrainingSpec
from playground.training import device as device_module
from playground.training import worker
from playground.training.device import choose_device

needs_cuda = pytest.mark.gpu


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_without_a_gpu_auto_is_the_cpu_in_float32_uncompiled():
    device = choose_device(TrainingSpec(threads=1))
    assert (device.kind, device.dtype, device.compile) == ("cpu", torch.float32, False)
    assert "CPU, 1 thread, float32" in device.describe()
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


@pytest.mark.parametrize(
    "environment, threads",
    [({}, 6), ({"OMP_NUM_THREADS": "2"}, 2), ({"OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": "2"}, 3)],
)
def test_threads_are_what_was_asked_for_or_a_fair_share_of_the_cores(environment, threads, monkeypatch):
    before = torch.get_num_threads()
    for name in ("OMP_NUM_THREADS", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(device_module.os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    try:
        choose_device(TrainingSpec(device="cpu"))
        assert torch.get_num_threads() == threads
        choose_device(TrainingSpec(device="cpu", threads=4))
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_a_machine_without_a_compiler_trains_uncompiled(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    long = TrainingSpec(steps=device_module.MIN_STEPS_TO_COMPILE)
    assert not device_module._compiles(long, "cuda")
    with pytest.raises(PlaygroundError, match="C compiler"):
        choose_device(long.replace(device="cpu", compile="on"))


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
