"""Loss and accuracy of each precision, against torch's own cross-entropy."""

import numpy as np
import pytest

from models.transformer import Source
from playground import gallery
from playground.onnx_export.export import export
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model


@pytest.mark.parametrize("name", ["bible-decoder", "bible-lstm"])
def test_what_shrinking_costs(name):
    import torch
    import torch.nn.functional as F

    from playground.onnx_export.precision_eval import costs_of

    run = gallery.get(name)
    made = export(run, precisions=("fp32", "fp16", "int8", "int4"))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    ids = tokenizer.encode(
        "And God said, Let there be light: and there was light. And God saw the light, that it was good"
    )[:24]
    windows = np.array([ids, ids[::-1]])
    with torch.no_grad():
        logits = load_model(run)(torch.from_numpy(windows[:, :-1])).logits
        right = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(windows[:, 1:]).flatten()).item()
    costs = costs_of(made.folder, ("fp32", "fp16", "int8", "int4"), windows)
    assert costs["fp32"].loss == pytest.approx(right, abs=1e-4)
    assert (costs["fp32"].best == logits.argmax(-1).numpy()).all()
    assert abs(costs["fp16"].loss - right) < 0.01 and costs["fp16"].agreement(costs["fp32"]) == 1.0
    assert abs(costs["int8"].loss - right) < 0.1 and abs(costs["int4"].loss - right) < 0.6
    assert 0.5 < costs["int4"].agreement(costs["fp32"]) <= 1.0
    assert all(cost.speed > 0 for cost in costs.values())


def test_what_shrinking_costs_a_model_that_fills_in():
    import torch
    import torch.nn.functional as F

    from playground.onnx_export.precision_eval import costs_of

    run = gallery.get("bible-encoder")
    made = export(run, precisions=("fp32", "int8", "int4"))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    windows = np.array(
        [tokenizer.encode("In the beginning God created the heaven and the earth, and it was good")[:14]]
    )
    hidden = windows.copy()
    hidden[:, [3, 10]] = tokenizer.mask_id
    with torch.no_grad():
        logits = load_model(run)(torch.from_numpy(hidden)).logits[0, [3, 10]]
    right = F.cross_entropy(logits, torch.from_numpy(windows[0, [3, 10]])).item()
    costs = costs_of(made.folder, ("fp32", "int8", "int4"), windows)
    assert costs["fp32"].loss == pytest.approx(right, abs=1e-4)
    assert abs(costs["int8"].loss - right) < 0.3


def test_what_shrinking_costs_a_model_that_answers():
    """Against torch, answer by answer; one of the answers is wrong on purpose."""
    import torch
    import torch.nn.functional as F

    from playground.onnx_export.precision_eval import costs_of_answers

    run = gallery.get("dates")
    made, model, tokenizer = (
        export(run, precisions=("fp32", "int8")),
        load_model(run),
        Tokenizer.load(run.tokenizer_path),
    )
    asked = [("May 3, 2001 =", "2001-05-03"), ("May 3, 2001 =", "1999-05-03")]
    pairs = [(tokenizer.encode(text), [*tokenizer.encode(answer), tokenizer.eos_id]) for text, answer in asked]
    losses = []
    for source, answer in pairs:
        with torch.no_grad():
            logits = model(
                torch.tensor([[tokenizer.bos_id, *answer[:-1]]]), source=Source(torch.tensor([source]))
            ).logits[0]
        losses.append(F.cross_entropy(logits, torch.tensor(answer), reduction="none"))
    costs = costs_of_answers(made.folder, ("fp32", "int8"), pairs)
    assert costs["fp32"].loss == pytest.approx(torch.cat(losses).mean().item(), abs=1e-3)
    assert costs["fp32"].right == 0.5 and costs["fp32"].speed > 0
    assert costs["int8"].agreement(costs["fp32"]) > 0.8
