import torch

from models.hooks import scoped, unchanged


def test_scoped_puts_a_prefix_before_every_name():
    seen = []
    hook = scoped(lambda name, value: seen.append(name) or value + 1, "layers.0.")
    assert hook("q", torch.zeros(1)).item() == 1 and seen == ["layers.0.q"]
    assert scoped(None, "layers.0.") is None


def test_unchanged_gives_back_the_same_tensor():
    value = torch.zeros(2)
    assert unchanged("q", value) is value
