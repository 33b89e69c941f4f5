"""One decoding step on a double of a GPU, and its two sets of buffers."""

import numpy as np

from playground.inference.engine import Engine
from tests.support.made_exports import DECODERS
from tests.support.written_texts import prompts


def test_interleaved_twins_do_not_replay_each_others_steps(exports, gpu):
    _, folder = exports(DECODERS["gpt2"])
    first = Engine(folder).model
    second = first.clone()
    texts = prompts(1, 6), prompts(2, 5)[:1]
    right = [first.greedy(10, text)[0].tolist() for text in texts]
    said = [
        [int(writer.start(text) or writer.pick_greedy()[0])]
        for writer, text in zip((first, second), texts, strict=True)
    ]
    for _ in range(9):
        for writer, so_far in ((first, said[0]), (second, said[1])):
            writer.advance()
            so_far.append(int(writer.pick_greedy()[0]))
    assert said == right


def test_a_step_begins_with_the_most_likely_tokens_of_the_prompt(exports, gpu):
    _, folder = exports(DECODERS["gpt2"])
    step = Engine(folder, batch=2).model.device_step
    logits = np.random.default_rng(0).normal(size=(2, 50)).astype(np.float32)
    step.begin(logits)
    assert step.tokens().tolist() == logits.argmax(-1).tolist() and (step.logits() == logits).all()


def test_the_two_sets_of_buffers_are_read_in_turn(exports, gpu):
    _, folder = exports(DECODERS["gpt2"])
    writer = Engine(folder).model
    writer.start([[5, 9]])
    step, tokens = writer.device_step, [int(writer.pick_greedy()[0])]
    sides, began = [step.next], step.count
    for _ in range(4):
        writer.advance()
        sides.append(step.next)
        tokens.append(int(step.tokens()[0]))
    assert [a != b for a, b in zip(sides, sides[1:])] == [True] * 4 and step.count == began + 4
    assert step.latest(4).tolist() == [tokens[1:]], "the ring keeps what each step chose"
