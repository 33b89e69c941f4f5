"""What is said of every token is what the model gave it; and writing can be watched, stopped and repeated."""

import copy
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.generate import decode
from playground.core.errors import PlaygroundError, UserError
from playground.generation.generation_session import GenerationSession
from playground.generation.jobs import BeamSearch, GenerationJob, read
from playground.generation.predict import all_logits, likeliest, open_prompt
from playground.generation.torch_model import TorchGenerator, placed
from playground.inference.sampling import Sampling, softmax

WRITERS = ["decoder", "learned", "lstm", "lstm-attention", "encoder-decoder"]
ANSWERS = ("lstm-attention", "encoder-decoder")


def desk_of(models, tokenizer, kind: str, text: str = "hello") -> GenerationSession:
    model = models[kind]
    desk = GenerationSession(TorchGenerator(model), tokenizer, answers=kind in ANSWERS, load=lambda: model)
    desk.open(text)
    return desk


def write(desk: GenerationSession, n: int, seed: int = 0, **choices) -> GenerationJob:
    job = desk.write(Sampling(**choices.pop("sampling", {})), n, seed=seed, stop_at_end=False, **choices)
    job.wait(30)
    desk.collect()
    return job


@pytest.mark.parametrize("kind", WRITERS)
def test_the_probability_of_every_token_is_that_of_its_place(models, tokenizer, kind):
    """Also beyond the context, where the window has moved: each place is predicted from what the model saw."""
    desk = desk_of(models, tokenizer, kind)
    write(desk, 40)
    assert len(desk.tokens) - len(desk.prompt.ids) == 40
    for position in range(max(1, desk.prompt.hidden), len(desk.tokens)):
        token = desk.tokens[position]
        expected = softmax(desk.logits(position).astype(np.float64))[token.id]
        assert token.probability == pytest.approx(expected, rel=2e-3), position


@pytest.mark.parametrize("kind", WRITERS)
def test_greedy_writing_is_greedy_decoding(models, tokenizer, kind):
    desk = desk_of(models, tokenizer, kind)
    write(desk, 30, sampling={"temperature": 0.0})
    expected = list(decode(models[kind], desk.prompt.ids, 30, source_ids=desk.prompt.source))
    assert [token.id for token in desk.tokens[len(desk.prompt.ids) :]] == expected


def test_the_same_seed_writes_the_same(models, tokenizer):
    texts = []
    for seed in (3, 3, 4):
        desk = desk_of(models, tokenizer, "decoder")
        write(desk, 20, seed)
        texts.append([token.id for token in desk.tokens])
    assert texts[0] == texts[1] != texts[2]


def test_drawn_is_the_probability_after_sampling(models, tokenizer):
    desk = desk_of(models, tokenizer, "decoder")
    write(desk, 20, sampling={"top_k": 3})
    for position in range(len(desk.prompt.ids), len(desk.tokens)):
        top = [p for _, p in likeliest(softmax(desk.logits(position).astype(np.float64)), 3)]
        token = desk.tokens[position]
        assert token.drawn == pytest.approx(token.probability / sum(top), rel=2e-3)


def test_writing_is_stopped_and_keeps_what_was_written(models, tokenizer):
    desk = desk_of(models, tokenizer, "decoder")
    job = desk.write(Sampling(), 4000, stop_at_end=False)
    while not job.tokens:
        time.sleep(0.001)
    desk.stop()
    assert job.ended == "cancelled"
    assert len(desk.tokens) == len(desk.prompt.ids) + len(job.tokens)


def test_the_stop_text_ends_the_text(models, tokenizer):
    desk = desk_of(models, tokenizer, "decoder")
    write(desk, 30)
    text = tokenizer.decode([token.id for token in desk.shown][5:], specials=True)
    wanted = next(letter for letter in text[3:] if letter.isascii() and letter.isprintable())
    again = desk_of(models, tokenizer, "decoder")
    job = write(again, 30, stop_text=wanted)
    assert job.ended == "stop"
    assert tokenizer.decode([again.tokens[-1].id]) == wanted


def test_the_end_of_a_text_ends_writing_and_is_not_part_of_it(models, tokenizer):
    prompt = desk_of(models, tokenizer, "decoder").prompt
    greedy = list(decode(models["decoder"], prompt.ids, 10))
    end = SimpleNamespace(eos_id=greedy[4], decode=tokenizer.decode)
    job = GenerationJob(TorchGenerator(models["decoder"]), end, prompt, Sampling(temperature=0), 10)
    job.start().wait(30)
    assert [token.id for token in job.tokens] == greedy[: greedy.index(greedy[4])]
    assert job.ended == "end"


def test_a_branch_cuts_and_goes_on_and_can_be_undone(models, tokenizer):
    desk = desk_of(models, tokenizer, "decoder")
    write(desk, 10)
    before = list(desk.tokens)
    other = next(i for i, _ in likeliest(desk.logits(8), 3) if i != before[8].id)
    desk.pick(8, other)
    assert desk.tokens[:8] == before[:8] and len(desk.tokens) == 9
    assert desk.tokens[8].probability == pytest.approx(softmax(desk.logits(8).astype(np.float64))[other])
    write(desk, 3)
    assert len(desk.tokens) == 12
    desk.undo()
    desk.undo()
    assert desk.tokens == before
    desk.clear()
    assert len(desk.tokens) == len(desk.prompt.ids)
    desk.undo()
    assert desk.tokens == before


def test_a_place_that_is_gone_is_refused(models, tokenizer):
    desk = desk_of(models, tokenizer, "encoder-decoder")
    with pytest.raises(PlaygroundError):
        desk.pick(0, 5)
    with pytest.raises(PlaygroundError):
        desk.pick(50, 5)
    with pytest.raises(PlaygroundError):
        desk.pick(1, 10_000)


def test_beam_search_is_taken_watched_and_stopped(models, tokenizer):
    desk = desk_of(models, tokenizer, "decoder")
    job = desk.search(6, 3, stop_at_end=False)
    job.wait(30)
    assert job.step == 6 and len(job.found) == 3
    log_probability = job.found[0][1]
    desk.take(0)
    new = desk.tokens[len(desk.prompt.ids) :]
    assert sum(np.log(token.probability) for token in new) == pytest.approx(log_probability, abs=1e-3)


def test_a_beam_goes_past_the_context_and_its_tokens_show_what_it_was_found_with(models, tokenizer):
    desk = desk_of(models, tokenizer, "decoder")
    job = desk.search(2 * models["decoder"].spec.context_length, 2, stop_at_end=False)
    job.wait(60)
    log_probability = job.found[0][1]
    desk.take(0)
    new = desk.tokens[len(desk.prompt.ids) :]
    assert len(new) == 2 * models["decoder"].spec.context_length
    assert sum(np.log(token.probability) for token in new) == pytest.approx(log_probability, abs=1e-3)


def test_a_beam_is_stopped(models, tokenizer):
    desk = desk_of(models, tokenizer, "decoder")
    search = BeamSearch(lambda: models["decoder"], desk.prompt, 10_000, 4)
    search.stop()
    search.start().wait(30)
    assert search.ended == "cancelled" and search.step == 1


def test_the_prompt_is_read_with_the_probabilities_of_its_tokens(models, tokenizer):
    model = TorchGenerator(models["decoder"])
    prompt = open_prompt(model.about, tokenizer, "abcabcabcabcabcabcabc", answers=False)
    tokens = read(model, prompt)
    assert [token.id for token in tokens] == list(prompt.ids)
    seen = [token.seen for token in tokens]
    assert seen == [0] * 6 + list(range(1, 16))
    along = softmax(all_logits(model, prompt.ids).astype(np.float64))
    assert tokens[-1].probability == pytest.approx(along[-2, prompt.ids[-1]], rel=1e-3)


def test_models_that_answer_start_after_the_question(models, tokenizer):
    with pytest.raises(PlaygroundError):
        open_prompt(models["encoder-decoder"].spec, tokenizer, "", answers=True)
    question = open_prompt(models["decoder"].spec, tokenizer, "ab", answers=True)
    assert question.ids[-1] == tokenizer.bos_id and question.hidden == 3
    answer = open_prompt(models["encoder-decoder"].spec, tokenizer, "ab", answers=True)
    assert answer.ids == (tokenizer.bos_id,) and len(answer.source) == 2


def test_models_that_fill_in_do_not_write(models, tokenizer):
    with pytest.raises(UserError):
        open_prompt(models["encoder"].spec, tokenizer, "ab", answers=False)


def test_nothing_is_continued_from_the_end_of_a_text(models, tokenizer):
    desk = desk_of(models, tokenizer, "decoder", "")
    assert desk.shown == [] and desk.prompt.ids == (tokenizer.eos_id,)
    write(desk, 3)
    assert len(desk.shown) == 3


@pytest.mark.gpu
@pytest.mark.parametrize("kind", WRITERS)
def test_pytorch_writes_the_same_on_a_gpu(models, tokenizer, kind):
    """In 32 bits, as the app's process computes: training, which has processes of its own, lets a GPU round factors."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        written_the_same(models, tokenizer, kind)
    finally:
        torch.set_float32_matmul_precision(before)


def written_the_same(models, tokenizer, kind):
    on_cpu = desk_of(models, tokenizer, kind)
    on_gpu = GenerationSession(
        TorchGenerator(placed(copy.deepcopy(models[kind]), "cuda")), tokenizer, answers=kind in ANSWERS
    )
    on_gpu.open("hello")
    assert on_gpu.model.ran_by == "PyTorch (CUDA)" and on_cpu.model.ran_by == "PyTorch (CPU)"
    for desk in (on_cpu, on_gpu):
        write(desk, 30, sampling={"temperature": 0.0})
    assert [token.id for token in on_gpu.tokens] == [token.id for token in on_cpu.tokens]
    np.testing.assert_allclose(on_gpu.logits(9), on_cpu.logits(9), atol=1e-3)


def test_where_pytorch_runs_is_chosen(models, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert TorchGenerator(placed(models["lstm"])).ran_by == "PyTorch (CPU)"
    with pytest.raises(PlaygroundError, match="no CUDA GPU"):
        placed(models["lstm"], "cuda")
