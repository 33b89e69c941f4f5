"""One decoding step on a double of a GPU, and its two sets of buffers."""

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
