"""Heads that follow meaning: one that does it perfectly scores 1, one that looks everywhere scores chance."""

import numpy as np
import pytest
import torch

from models.factory import build
from models.presets import PRESETS
from playground.core.errors import PlaygroundError
from playground.inspection import head_scores, reference_heads
from playground.inspection.head_scores import read_scores
from playground.inspection.reference_heads import score_reference_heads
from playground.runs import gallery
from playground.text.spec import TokenizerSpec
from playground.text.stories.open import LANGUAGES, lexicon, stories
from playground.text.vocabulary import learn

ANIMALS = {"cat", "dog", "bird", "rabbit", "duck", "mouse", "horse", "cow", "frog", "pig"}


@pytest.fixture(scope="module")
def tokenizer():
    told = ["".join(LANGUAGES["little-stories"].text(story) for story in stories("little-stories", 2_000, 0))]
    return learn(TokenizerSpec("word", 2_000), lambda: told, lexicon=lexicon("little-stories"))


def model_of(preset, size, **changes):
    torch.manual_seed(0)
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2, "context_length": 128}
    return build(PRESETS[preset].spec.replace(vocab_size=size, **sizes, **changes)).eval()


@pytest.mark.parametrize("preset", ["llama-tiny", "bert-tiny"])
def test_a_head_that_looks_everywhere_scores_chance(preset, tokenizer, monkeypatch):
    model = model_of(preset, tokenizer.size)

    def even(model, ids):
        seen = np.tri(len(ids)) if model.spec.is_causal else np.ones((len(ids), len(ids)))
        return {"self": np.tile(seen / seen.sum(-1, keepdims=True), (1, 2, 1, 1))}

    monkeypatch.setattr(reference_heads, "attention_weights", even)
    found = score_reference_heads(model, tokenizer, "little-stories", n_stories=40)
    assert min(found.n.values()) > 10
    for kind, table in found.scores.items():
        assert table == pytest.approx(found.chance[kind])


def test_a_head_that_finds_the_animal_scores_on_pronouns_alone(tokenizer, monkeypatch):
    """From every "it" to the animal that the sentence before began with, as a person would read it."""
    model = model_of("llama-tiny", tokenizer.size)

    def reader(model, ids):
        words = [piece.strip() for piece in tokenizer.pieces(ids)]
        weights = np.zeros((1, 2, len(ids), len(ids)))
        weights[..., 0] = 1.0
        nouns = [i for i, word in enumerate(words) if word in ANIMALS]
        for i, word in enumerate(words):
            before = [noun for noun in nouns if noun < i]
            if word.lower() == "it" and before:
                weights[0, 1, i] = 0.0
                weights[0, 1, i, before[-1]] = 1.0
        return {"self": weights}

    monkeypatch.setattr(reference_heads, "attention_weights", reader)
    found = score_reference_heads(model, tokenizer, "little-stories", n_stories=100)
    layer, head, share = found.strongest("it")
    assert (layer, head) == (0, 1) and share > found.scores["it"][0, 0] + 0.3 and share > 0.6
    assert found.scores["person"][0, 1] == found.scores["person"][0, 0]
    assert found.scores["previous"].max() < 0.1


def test_real_weights_stay_between_0_and_1_and_the_same_seed_gives_the_same(tokenizer):
    model = model_of("llama-tiny", tokenizer.size)
    first, again = (score_reference_heads(model, tokenizer, "little-stories", 20) for _ in range(2))
    for kind, table in first.scores.items():
        assert ((table >= 0) & (table <= 1)).all()
        assert (table == again.scores[kind]).all()


def test_what_has_no_heads_or_no_words_is_told(tokenizer):
    with pytest.raises(PlaygroundError, match="no heads"):
        score_reference_heads(model_of("lstm-tiny", tokenizer.size), tokenizer, "little-stories")
    letters = learn(TokenizerSpec("byte"), lambda: [])
    with pytest.raises(PlaygroundError, match="word by word"):
        score_reference_heads(model_of("llama-tiny", letters.size), letters, "little-stories", 20)


SHIPPED = ("stories-decoder", "stories-encoder", "stories-zh-decoder", "stories-zh-encoder")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scores_are_those_of_the_shipped_weights(name):
    from playground.text.tokenizers import Tokenizer
    from playground.training.load_model import body_of, load_model

    run = gallery.get(name)
    step = run.checkpoints()[-1]
    kept = read_scores(run, step)
    assert kept is not None
    fresh = score_reference_heads(
        body_of(load_model(run, step)).eval(), Tokenizer.load(run.tokenizer_path), run.config().data.corpus, 60
    )
    copying = max(("answer", "repeat"), key=lambda kind: kept.strongest(kind)[2])
    pronoun = max(("it", "person"), key=lambda kind: kept.strongest(kind)[2])
    for kind in (pronoun, copying, "previous"):
        layer, head, share = kept.strongest(kind)
        assert share >= 0.3, "each shipped decoder and encoder has a head for it"
        assert fresh.scores[kind][layer, head] == pytest.approx(share, abs=0.1)


def test_damaged_scores_are_no_scores(tmp_path):
    run = gallery.get(gallery.runs()[0].id)
    folder = type(run)(tmp_path)
    (tmp_path / head_scores.FILE).write_text('{"1": {"scores": 5}}')
    assert read_scores(folder, 1) is None
    assert read_scores(folder, 2) is None
