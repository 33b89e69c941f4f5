"""A desk on an export: the same texts and probabilities as in PyTorch, and a cache of one's own."""

import time

import numpy as np
import pytest

from playground import gallery
from playground.generation.desk import Desk
from playground.generation.predict import logits_after, logits_along, open_prompt
from playground.generation.torch_model import TorchWriter
from playground.inference.engine import Engine
from playground.inference.sampling import Sampling, softmax
from playground.onnx_export.export import export
from playground.text.tokenizers import Tokenizer
from playground.training.saving import load_model

ASKED = {"bible-decoder": "And God said", "bible-lstm": "And God said", "dates": "3 May 2020"}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """``both[name]``: the export, the model in PyTorch, the tokenizer."""
    found, home = {}, tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PLAYGROUND_HOME", str(home))
        for name in ASKED:
            run = gallery.get(name)
            made = Engine(export(run).folder, device="cpu")
            found[name] = made, TorchWriter(load_model(run)), Tokenizer.load(run.tokenizer_path)
    return found


def desk_of(both, name: str, which: int = 0) -> Desk:
    desk = Desk(both[name][which], both[name][2], answers=name == "dates")
    desk.open(ASKED[name])
    return desk


def write(desk: Desk, n: int, **choices):
    job = desk.write(Sampling(**choices.pop("sampling", {})), n, **{"seed": 0, "stop_at_end": False, **choices})
    job.wait(60)
    desk.collect()
    assert not job.error
    return job


@pytest.mark.parametrize("name", ASKED)
def test_what_is_said_of_every_token_is_what_pytorch_says(both, name):
    """Beyond the context too, where the window has moved."""
    ours, theirs = desk_of(both, name), desk_of(both, name, 1)
    n = 20 if name == "dates" else 300
    sampling = {"temperature": 0.7, "top_k": 40, "repetition_penalty": 1.1}
    a, b = (write(desk, n, seed=5, sampling=sampling) for desk in (ours, theirs))
    assert [token.id for token in a.tokens] == [token.id for token in b.tokens] and a.ended == b.ended == "length"
    for mine, other in zip(ours.tokens, theirs.tokens, strict=True):
        assert mine.seen == other.seen
        assert mine.probability == pytest.approx(other.probability, abs=1e-4)
        assert mine.drawn == pytest.approx(other.drawn, abs=1e-3)
    for position in (1, len(ours.tokens) // 2, len(ours.tokens)):
        np.testing.assert_allclose(ours.logits(position), theirs.logits(position), atol=2e-3)


@pytest.mark.parametrize("name", ASKED)
def test_scores_are_pytorchs_for_texts_of_any_length(both, name):
    ours, theirs, tokenizer = both[name]
    prompt = open_prompt(ours.about, tokenizer, ASKED[name], name == "dates")
    assert prompt == open_prompt(theirs.about, tokenizer, ASKED[name], name == "dates")
    for ids in (prompt.ids, prompt.ids * 150):
        along = logits_along(ours, ids, prompt.source)
        np.testing.assert_allclose(along, logits_along(theirs, ids, prompt.source), atol=2e-3)
        np.testing.assert_allclose(logits_after(ours, ids, prompt.source), along[-1], atol=2e-3)
        np.testing.assert_allclose(logits_after(ours, ids, prompt.source), logits_after(theirs, ids, prompt.source), atol=2e-3)


def test_two_desks_on_one_export_do_not_disturb_each_other(both):
    alone = [write(desk_of(both, "bible-decoder"), 120, seed=seed).tokens for seed in (1, 2)]
    desks = [desk_of(both, "bible-decoder") for _ in alone]
    jobs = [desk.write(Sampling(), 120, seed=seed, stop_at_end=False) for desk, seed in zip(desks, (1, 2))]
    third, fresh = desk_of(both, "bible-decoder"), both["bible-decoder"][1]
    expected = softmax(logits_after(fresh, third.prompt.ids).astype(np.float64))
    while any(job.is_running for job in jobs):
        third._scores.clear()
        np.testing.assert_allclose(softmax(third.logits(len(third.tokens)).astype(np.float64)), expected, atol=1e-5)
    for job, tokens in zip(jobs, alone):
        assert [token.id for token in job.tokens] == [token.id for token in tokens]


def test_writing_is_stopped_within_a_token(both):
    desk = desk_of(both, "bible-lstm")
    job = desk.write(Sampling(), 3900, stop_at_end=False)
    while not job.tokens:
        time.sleep(0.0005)
    desk.stop()
    assert job.ended == "cancelled" and not job.is_running
    assert 0 < len(job.tokens) < 3900 and len(desk.tokens) == len(desk.prompt.ids) + len(job.tokens)
    before = list(desk.tokens)
    desk.pick(len(before), before[-1].id)
    assert desk.tokens[-1].probability == pytest.approx(
        float(softmax(logits_after(both["bible-lstm"][1], [token.id for token in before]).astype(np.float64))[before[-1].id]),
        abs=1e-4,
    )


def test_the_stop_text_and_the_end_of_a_text_end_it(both):
    desk = desk_of(both, "dates")
    job = write(desk, 40, sampling={"temperature": 0.0}, stop_at_end=True)
    assert job.ended == "end" and both["dates"][2].decode([token.id for token in desk.shown]) == "2020-05-03"
    desk.clear()
    job = write(desk, 40, sampling={"temperature": 0.0}, stop_text="-")
    assert job.ended == "stop" and both["dates"][2].decode([token.id for token in desk.shown]).endswith("-")


def test_the_same_text_goes_on_when_an_export_has_been_made(both):
    engine, in_torch, _ = both["bible-decoder"]
    desk = desk_of(both, "bible-decoder", 1)
    write(desk, 10)
    before = list(desk.tokens)
    desk.use(in_torch)
    assert desk.model is in_torch
    desk.use(engine)
    assert isinstance(desk.model, Engine) and desk.model is not engine, "its own"
    own = desk.model
    desk.use(engine)
    assert desk.model is own
    write(desk, 10, sampling={"temperature": 0.0})
    assert desk.tokens[: len(before)] == before and len(desk.tokens) == len(before) + 10
