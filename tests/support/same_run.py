"""Whether two runs learned the same: every loss and every weight, bit for bit."""

import torch
from safetensors.torch import load_file


def weights(run, step=None):
    path = run.latest_checkpoint() if step is None else run.checkpoint(step)
    return load_file(path / "model.safetensors")


def losses(run):
    return {row["step"]: row["loss"] for row in run.metrics()[0] if row["kind"] == "train"}


def assert_same_run(one, other):
    assert losses(one) == losses(other)
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name]), name
