"""Writing with an exported LSTM with attention, against torch."""

import numpy as np
import pytest
import torch

from models.generate import decode
from models.transformer import Source
from playground.core.errors import PlaygroundError
from playground.inference.attentive_decoder import AttentiveDecoder
from playground.inference.engine import Engine
from playground.inference.sampling import Sampling
from tests.support.made_exports import ATTENTIVE
from tests.support.written_texts import HALF, close_to_torch, prompts

SOURCE = [7, 8, 9, 10, 11]


@pytest.mark.parametrize("name", ATTENTIVE)
def test_texts_are_continued_as_in_torch(name, exports):
    model, folder = exports(ATTENTIVE[name], ("fp32", "fp16"))
    for precision, tolerance in (("fp32", 1e-4), ("fp16", HALF)):
        for batch in (1, 3):
            engine = Engine(folder, precision, batch=batch, device="cpu")
            assert isinstance(engine.model, AttentiveDecoder)
            engine.model.encode_source(SOURCE)
            texts = prompts(batch, 4, equal=True)
            close_to_torch(model, engine.model, texts, tolerance, source=SOURCE, told=True)


def test_what_is_written_is_what_torch_writes(exports):
    model, folder = exports(ATTENTIVE["lstm-attention"])
    engine = Engine(folder, device="cpu")
    theirs = list(
        decode(model, [1], 40, source_ids=SOURCE)
    )  # longer than the context: a recurrent model needs no window
    assert list(engine.generate([1], 40, source_ids=SOURCE)) == theirs
    assert list(engine.generate([1], 40, source_ids=SOURCE, choose=lambda row: int(row.argmax()))) == theirs
    warm = Sampling(temperature=0.8, top_k=20)
    again = [list(engine.generate([1], 20, warm, seed=3, source_ids=SOURCE)) for _ in range(2)]
    assert again[0] == again[1]


def test_logits_of_a_text_leave_the_one_that_is_written_alone(exports):
    model, folder = exports(ATTENTIVE["lstm-attention"])
    engine, ids, other = Engine(folder, device="cpu"), [1, 5, 9, 7], [8, 8, 6]
    engine.model.encode_source(SOURCE)
    before = engine.model.prefill([ids]).copy()
    with torch.no_grad():
        theirs = model(torch.tensor([ids]), source=Source(torch.tensor([other]))).logits[0].numpy()
    assert np.abs(engine.all_logits(ids, other) - theirs).max() < 1e-4 * max(1, np.abs(theirs).max())
    assert np.abs(engine.next_logits(ids, other) - theirs[-1]).max() < 1e-4 * max(1, np.abs(theirs).max())
    assert (engine.model.logits == before).all()
    twin = engine.clone()
    twin.model.encode_source(other)
    twin.model.start([ids])
    assert np.abs(twin.model.logits - theirs[-1]).max() < 1e-4 * max(1, np.abs(theirs).max())
    assert (engine.model.logits == before).all()


def test_a_source_is_needed(exports):
    engine = Engine(exports(ATTENTIVE["lstm-attention"])[1], device="cpu")
    with pytest.raises(PlaygroundError, match="there is none"):
        engine.model.start([[1]])
    with pytest.raises(PlaygroundError, match="there is none"):
        engine.next_logits([1])
