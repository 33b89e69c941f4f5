import numpy as np
import torch

from playground.inspection.capture import capture, residual_streams, source_inputs
from tests.unit.inspection.test_attention import IDS, seeded


def test_what_is_recorded_is_what_the_hook_sees():
    model, seen = seeded("gpt2"), {}
    logits = model(torch.tensor([IDS]), hook=lambda name, value: seen.setdefault(name, value)).logits
    found = capture(model, IDS)
    assert set(found) == {*seen, "logits"} and np.abs(found["logits"] - logits[0].detach().numpy()).max() < 1e-6
    assert all(np.abs(found[name] - value[0].detach().numpy()).max() < 1e-6 for name, value in seen.items())
    assert set(capture(model, IDS, keep=lambda name: name == "final")) == {"final", "logits"}


def test_the_residual_stream_grows_by_what_the_sublayers_add():
    model = seeded("gpt2")
    found, names = capture(model, IDS), residual_streams(model.spec)
    assert len(names) == model.spec.n_layers + 1
    for i in range(model.spec.n_layers):
        added = found[f"layers.{i}.attention.output"] + found[f"layers.{i}.mlp.output"]
        assert np.abs(found[names[i]] + added - found[names[i + 1]]).max() < 1e-5


def test_only_pairs_have_a_source():
    assert source_inputs(None) == {} and source_inputs([4, 5])["source"].ids.tolist() == [[4, 5]]
