"""Generators that stay on the GPU between steps, on its double."""

import numpy as np
import pytest

from playground.inference.engine import Engine
from playground.inference.step_names import BLOCK
from tests.support import gpu_double
from tests.support.made_exports import DECODERS
from tests.support.written_texts import RECURRENT, prompts


@pytest.mark.parametrize("kind", ["gpt2", "alibi", "lstm"])
def test_blocks_of_tokens_are_fetched_at_once_and_are_those_of_single_steps(kind, exports, gpu, monkeypatch):
    """More than one block, from a block that is begun in the middle; only the last step of each is waited for."""
    _, folder = exports({**DECODERS, **RECURRENT}[kind].replace(context_length=64))
    writer, texts = Engine(folder, batch=2).model, prompts(2, 5, equal=True)
    writer.start(texts)
    right = [writer.pick_greedy()]
    for _ in range(49):
        writer.advance()
        right.append(writer.pick_greedy())
    right = np.stack(right, axis=1)
    fetched_, numpy = [], gpu_double.Value.numpy
    monkeypatch.setattr(gpu_double.Value, "numpy", lambda self: fetched_.append(self.shape()) or numpy(self))
    writer.start(texts)
    before = gpu.waits
    assert (writer.greedy_block(7) == right[:, :7]).all()
    writer.advance()
    assert (writer.greedy_block(43) == right[:, 7:]).all()
    assert gpu.waits - before == 5, "one block of 6, one step, blocks of 16, 16 and 10"
    assert writer.length.tolist() == [54, 54] and (writer.last == right[:, -1]).all()
    assert len(fetched_) <= 8 and all(np.prod(shape) <= 2 * BLOCK for shape in fetched_)
