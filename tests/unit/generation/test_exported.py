"""A desk on an export: the same texts and probabilities as in PyTorch, and a cache of one's own."""

import time

import numpy as np
import pytest

from playground import gallery
from playground.generation.generation_session import GenerationSession
from playground.generation.predict import all_logits, next_logits, open_prompt
from playground.generation.torch_model import TorchGenerator
from playground.inference.engine import Engine
from playground.inference.sampling import Sampling, softmax
from playground.onnx_export.export import export
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model
from tests.support.gpu_double import gpu  # noqa: F401

ASKED = {
    "bible-decoder": "And God said",
    "bible-lstm": "And God said",
    "dates": "3 May 2020",
    "dates-lstm": "3 May 2020",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The exports, by their runs' names."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PLAYGROUND_HOME", str(tmp_path_factory.mktemp("home")))
        return {name: export(gallery.get(name)).folder for name in ASKED}


@pytest.fixture(scope="module")
def both(folders):
    """``both[name]``: the export, the model in PyTorch, the tokenizer."""
    runs = {name: gallery.get(name) for name in ASKED}
    return {
        name: (Engine(folders[name], device="cpu"), TorchGenerator(load_model(run)), Tokenizer.load(run.tokenizer_path))
        for name, run in runs.items()
    }


def desk_of(both, name: str, which: int = 0) -> GenerationSession:
    desk = GenerationSession(both[name][which], both[name][2], answers=name in ("dates", "dates-lstm"))
    desk.open(ASKED[name])
    return desk


def write(desk: GenerationSession, n: int, **choices):
    job = desk.write(Sampling(**choices.pop("sampling", {})), n, **{"seed": 0, "stop_at_end": False, **choices})
    job.wait(60)
    desk.collect()
    assert not job.error
    return job


@pytest.mark.parametrize("name", ASKED)
def test_what_is_said_of_every_token_is_what_pytorch_says(both, name):
    """Beyond the context too, where the window has moved."""
    ours, theirs = desk_of(both, name), desk_of(both, name, 1)
    n = 20 if name in ("dates", "dates-lstm") else 300
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
    prompt = open_prompt(ours.about, tokenizer, ASKED[name], name in ("dates", "dates-lstm"))
    assert prompt == open_prompt(theirs.about, tokenizer, ASKED[name], name in ("dates", "dates-lstm"))
    for ids in (prompt.ids, prompt.ids * 150):
        along = all_logits(ours, ids, prompt.source)
        np.testing.assert_allclose(along, all_logits(theirs, ids, prompt.source), atol=2e-3)
        np.testing.assert_allclose(next_logits(ours, ids, prompt.source), along[-1], atol=2e-3)
        np.testing.assert_allclose(
            next_logits(ours, ids, prompt.source), next_logits(theirs, ids, prompt.source), atol=2e-3
        )


def test_two_desks_on_one_export_do_not_disturb_each_other(both):
    alone = [write(desk_of(both, "bible-decoder"), 120, seed=seed).tokens for seed in (1, 2)]
    desks = [desk_of(both, "bible-decoder") for _ in alone]
    jobs = [desk.write(Sampling(), 120, seed=seed, stop_at_end=False) for desk, seed in zip(desks, (1, 2))]
    third, fresh = desk_of(both, "bible-decoder"), both["bible-decoder"][1]
    expected = softmax(next_logits(fresh, third.prompt.ids).astype(np.float64))
    while any(not job.is_over for job in jobs):
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
    assert job.ended == "cancelled" and job.is_over
    assert 0 < len(job.tokens) < 3900 and len(desk.tokens) == len(desk.prompt.ids) + len(job.tokens)
    before = list(desk.tokens)
    desk.pick(len(before), before[-1].id)
    assert desk.tokens[-1].probability == pytest.approx(
        float(
            softmax(next_logits(both["bible-lstm"][1], [token.id for token in before]).astype(np.float64))[
                before[-1].id
            ]
        ),
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


@pytest.mark.parametrize("name", ASKED)
def test_on_a_gpu_two_desks_write_at_once_what_the_cpu_writes(both, folders, name, gpu):  # noqa: F811
    """With sampling on the device, beyond the context, and while a third one asks for probabilities."""
    engine, (_, in_torch, tokenizer) = Engine(folders[name]), both[name]
    assert engine.provider == "CUDA"
    n = 12 if name in ("dates", "dates-lstm") else 150
    desks = [GenerationSession(engine, tokenizer, name in ("dates", "dates-lstm")) for _ in range(3)]
    for desk in desks:
        desk.open(ASKED[name])
    jobs = [desk.write(Sampling(temperature=0.5), n, seed=i, stop_at_end=False) for i, desk in enumerate(desks[:2])]
    while any(not job.is_over for job in jobs):
        desks[2]._scores.clear()
        first = desks[2].logits(len(desks[2].tokens))
    theirs = GenerationSession(in_torch, tokenizer, name in ("dates", "dates-lstm"))
    theirs.open(ASKED[name])
    expected = theirs.logits(len(theirs.tokens))
    assert np.abs(first - expected).max() <= 6e-2 * max(1, np.abs(expected).max())
    for desk, job in zip(desks, jobs):
        assert not job.error and job.ended == "length"
        desk.collect()
        for position in range(len(desk.prompt.ids), len(desk.tokens), 7):  # what PyTorch expected at this place
            theirs.tokens = list(desk.tokens)
            expected = softmax(theirs.logits(position).astype(np.float64))[desk.tokens[position].id]
            assert desk.tokens[position].probability == pytest.approx(expected, abs=2e-2)
    assert jobs[0].tokens != jobs[1].tokens or name in ("dates", "dates-lstm")
