"""What the model expects, told against its own logits."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models.transformer import Source
from playground.inspection.prediction_task import log_probabilities, losses, prediction_task, pseudo_log_likelihood
from playground.inspection.predictions import logit_lens, predict_causal, predict_masked
from tests.unit.inspection.test_attention import IDS, SPECS, seeded, source_of


def asked_of(name: str):
    objective = "mlm" if name == "bert" else "seq2seq" if SPECS[name].reads_pairs else "clm"
    return prediction_task(IDS, objective, source_of(name), mask=(3, 40))


@pytest.mark.parametrize("name", ["gpt2", "pairs"])
def test_probabilities_are_those_of_the_tokens_that_follow(name):
    model, task = seeded(name), asked_of(name)
    more = {"source": Source(torch.tensor([source_of(name)]))} if name == "pairs" else {}
    with torch.no_grad():
        p = model(torch.tensor([IDS]), **more).logits[0].softmax(-1).numpy()
    found = predict_causal(model, task)
    assert np.isnan(found.p[0]), "nothing comes before the first"
    assert found.p[1:].tolist() == pytest.approx([p[i, token] for i, token in enumerate(IDS[1:])], rel=1e-4)
    expected = F.cross_entropy(torch.from_numpy(p[:-1]).log(), torch.tensor(IDS[1:])).item()
    assert found.loss() == pytest.approx(expected, rel=1e-4)
    assert losses(log_probabilities(model, task)[0], task).mean() == pytest.approx(expected, rel=1e-4)


def test_a_masked_model_never_sees_what_it_is_asked():
    """Changing a token does not change what is told about its own place."""
    model, other = seeded("bert"), IDS.copy()
    other[3] = 33
    one, two = pseudo_log_likelihood(model, IDS, 3), pseudo_log_likelihood(model, other, 3)
    assert torch.allclose(one[3], two[3], atol=1e-6)
    assert not torch.allclose(one[2], two[2], atol=1e-6), "its neighbours do see it"
    assert predict_masked(model, IDS, 3).p.shape == (len(IDS),)


def test_a_long_text_is_read_in_parts():
    model = seeded("bert")
    ids = np.random.default_rng(0).integers(4, 40, 37).tolist()  # parts of 16: the last is read from 21 on
    found = predict_masked(model, ids, 3)
    for place in (0, 15, 16, 31, 32, 36):
        first = min(place // 16 * 16, 37 - 16)
        part = ids[first : first + 16]
        part[place - first] = 3
        with torch.no_grad():
            p = model(torch.tensor([part])).logits[0, place - first].softmax(-1)[ids[place]].item()
        assert found.p[place] == pytest.approx(p, rel=1e-4)


@pytest.mark.parametrize("name", SPECS)
def test_the_last_layers_lens_is_the_models_answer(name):
    model, task = seeded(name), asked_of(name)
    found = logit_lens(model, task, k=3)
    rows = log_probabilities(model, task)[0].exp()
    assert found.top[-1].tolist() == rows.topk(3).indices.tolist()
    assert np.abs(found.top_p[-1] - rows.topk(3).values.numpy()).max() < 1e-5
    if name == "lstm with attention":
        assert found.names == ["final"], "no layer before has what the head reads: state and context, joined"
    else:
        assert len(found.names) == 3 and found.names[0] == "embeddings"


def test_the_lens_of_a_recurrent_model():
    from tests.unit.inspection.test_recurrence import seeded as recurrent

    model, task = recurrent("lstm", bidirectional=True), prediction_task(IDS, "mlm", mask=(3, 40))
    found = logit_lens(model, task, k=1)
    assert found.top[-1, :, 0].tolist() == log_probabilities(model, task)[0].argmax(-1).tolist()
