"""Filling in: the same probabilities as the model's own, for every hidden place at once."""

import pytest
import torch

from playground import gallery
from playground.core.errors import PlaygroundError
from playground.generation.fill_mask import fill, word_at
from playground.generation.torch_model import TorchEncoder
from playground.onnx_export.export import export
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model


@pytest.fixture
def reader(models, tokenizer):
    return TorchEncoder(models["encoder"], tokenizer.pad_id)


def test_blanks_are_the_models_own_probabilities(models, reader, tokenizer):
    ids = tokenizer.encode("abcdefgh")
    found = fill(reader, ids, {2, 5}, tokenizer.mask_id, n=4)
    masked = [tokenizer.mask_id if i in (2, 5) else token for i, token in enumerate(ids)]
    with torch.no_grad():
        expected = models["encoder"](torch.tensor([masked])).logits[0].softmax(-1)
    assert [blank.place for blank in found] == [2, 5]
    for blank in found:
        row = expected[blank.place]
        assert blank.hidden == pytest.approx(float(row[ids[blank.place]]), rel=1e-3)
        assert blank.rank == int((row > row[ids[blank.place]]).sum()) + 1
        assert [token for token, _ in blank.likeliest] == row.topk(4).indices.tolist()


def test_a_mask_in_the_text_is_filled_and_has_no_truth(reader, tokenizer):
    found = fill(reader, tokenizer.encode("ab<mask>cd", specials=True), (), tokenizer.mask_id)
    assert len(found) == 1 and found[0].hidden is None and found[0].rank is None


def test_nothing_hidden_gives_nothing(reader, tokenizer):
    assert fill(reader, tokenizer.encode("ab"), (), tokenizer.mask_id) == []


@pytest.mark.parametrize("text", ["", "x" * 40])
def test_texts_that_cannot_be_are_refused(reader, tokenizer, text):
    with pytest.raises(PlaygroundError):
        fill(reader, tokenizer.encode(text), {0}, tokenizer.mask_id)


def test_words_are_found_around_a_token():
    pieces = ["A", "ss", "ign", " state", "ment", ".", "\n", "9", "x"]
    assert [tuple(word_at(pieces, i)) for i in range(len(pieces))] == [
        (0, 1, 2),
        (0, 1, 2),
        (0, 1, 2),
        (3, 4),
        (3, 4),
        (5,),
        (6,),
        (7, 8),
        (7, 8),
    ]


@pytest.mark.usefixtures("own_home")
def test_hidden_words_are_filled_in_the_same_with_it():
    from playground.generation.fill_mask import fill
    from playground.generation.torch_model import TorchEncoder
    from playground.inference.onnx_encoder import OnnxEncoder

    run = gallery.get("bible-encoder")
    engine, tokenizer = OnnxEncoder(export(run).folder), Tokenizer.load(run.tokenizer_path)
    ids = tokenizer.encode("In the beginning God created the heaven")
    plain = fill(TorchEncoder(load_model(run), tokenizer.pad_id), ids, {3, 5}, tokenizer.mask_id)
    ours = fill(engine, ids, {3, 5}, tokenizer.mask_id)
    for a, b in zip(plain, ours, strict=True):
        assert (a.place, a.rank, [i for i, _ in a.likeliest]) == (b.place, b.rank, [i for i, _ in b.likeliest])
        assert a.hidden == pytest.approx(b.hidden, abs=1e-5)
