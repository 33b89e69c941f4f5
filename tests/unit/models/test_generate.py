import itertools

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models import ModelSpec, Source, SpecError, beam, build, decode, greedy
from tests.support.small_models import attentive_specs, lively, recurrent_specs, tokens, transformer_specs

CAUSAL = transformer_specs(("decoder", "encoder-decoder")) | recurrent_specs(bidirectional=False) | attentive_specs()


def spec_of(architecture="decoder", **choices):
    return ModelSpec(architecture, **{"vocab_size": 7, "d_model": 16, "n_layers": 1, "context_length": 8, **choices})


def answers(spec):
    return {"source_ids": [1, 2, 3]} if spec.reads_pairs else {}


def forward_inputs(source_ids=None):
    """The same source for one forward pass."""
    return {} if source_ids is None else {"source": Source(torch.tensor([source_ids]))}


@given(CAUSAL, st.integers(1, 25))
@settings(max_examples=40, deadline=None)
def test_the_cache_changes_no_token_even_when_the_window_slides(spec, prompt_length):
    model = lively(spec)
    prompt = tokens(spec, 1, prompt_length)[0].tolist()
    cached = list(decode(model, prompt, 30, **answers(spec)))
    assert cached == list(decode(model, prompt, 30, use_cache=False, **answers(spec)))
    assert len(cached) == 30


@pytest.mark.parametrize("architecture", ["decoder", "encoder-decoder", "rnn", "lstm", "gru", "lstm-attention"])
def test_greedy_decoding_is_argmax_of_the_whole_text(architecture):
    model = lively(spec_of(architecture))
    ids = [3, 1]
    more = forward_inputs(**answers(model.spec))
    for _ in range(6):
        ids.append(int(model(torch.tensor([ids]), **more).logits[0, -1].argmax()))
    assert list(decode(model, [3, 1], 6, greedy, **answers(model.spec))) == ids[2:]


def test_tokens_stream_as_they_are_chosen():
    calls = []
    stream = decode(lively(spec_of()), [1], 5, lambda logits: calls.append(1) or greedy(logits))
    next(stream)
    assert len(calls) == 1


def test_a_stop_token_ends_the_text_and_is_not_yielded():
    script = iter([4, 5, 2, 6])
    assert list(decode(lively(spec_of()), [1], 9, lambda logits: next(script), stop_ids={2})) == [4, 5]


def test_decoding_leaves_the_model_as_it_was():
    model = build(spec_of(dropout=0.5)).train()
    first = list(decode(model, [1], 6))
    assert model.training
    assert first == list(decode(model, [1], 6))  # no dropout meanwhile
    model(torch.tensor([[1, 2]])).logits.sum().backward()


def test_gradients_stay_on_between_tokens():
    stream = decode(lively(spec_of()), [1], 3)
    next(stream)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("architecture", "prompt", "words"),
    [
        ("encoder", [1], "both ways"),
        ("decoder", [], "nothing to continue"),
        ("encoder-decoder", [1], "source"),
        ("lstm-attention", [1], "source"),
    ],
)
def test_what_cannot_be_continued_is_refused_at_once(architecture, prompt, words):
    model = build(spec_of(architecture))
    for way in (decode, beam):
        with pytest.raises(SpecError, match=words):
            way(model, prompt, 3)


def log_probability(model, prompt, continuation, **more):
    ids = torch.tensor([[*prompt, *continuation]])
    scores = model(ids, **forward_inputs(**more)).logits[0].log_softmax(-1)
    return sum(scores[len(prompt) - 1 + i, token].item() for i, token in enumerate(continuation))


@pytest.mark.parametrize("architecture", ["decoder", "encoder-decoder", "lstm", "lstm-attention"])
def test_a_beam_as_wide_as_the_tree_finds_the_best_of_all(architecture):
    model = lively(spec_of(architecture, vocab_size=4))
    more = answers(model.spec)
    found = beam(model, [1], 3, width=64, **more)
    every = {c: log_probability(model, [1], c, **more) for c in itertools.product(range(4), repeat=3)}
    best = max(every, key=every.get)
    assert tuple(found[0][0]) == best
    assert [tuple(ids) for ids, _ in found] == sorted(every, key=every.get, reverse=True)
    for ids, score in found[:5]:
        assert score == pytest.approx(every[tuple(ids)])


def seen_by_greedy_writing(prompt, written, context):
    """The tokens a model sees after ``written``: a full context is halved when the next token comes."""
    ids = prompt[-context:]
    for token in written:
        ids = [*ids, token]
        ids = ids if len(ids) <= context else ids[-max(1, context // 2) :]
    return ids


@pytest.mark.parametrize("architecture", ["decoder", "encoder-decoder"])
@pytest.mark.parametrize("context", [1, 2, 3, 5])
def test_a_beam_past_the_context_finds_the_best_of_all_that_greedy_writing_could_see(architecture, context):
    model = lively(spec_of(architecture, vocab_size=3, context_length=context))
    source = {name: [token % 3 for token in value[:context]] for name, value in answers(model.spec).items()}
    more = forward_inputs(**source)
    prompt = [2, 0, 1]

    def log_p(written):
        total = 0.0
        for i, token in enumerate(written):
            ids = torch.tensor([seen_by_greedy_writing(prompt, written[:i], context)])
            total += model(ids, **more).logits[0, -1].log_softmax(-1)[token].item()
        return total

    every = {written: log_p(written) for written in itertools.product(range(3), repeat=4)}
    found = beam(model, prompt, 4, width=81, **source)
    assert {tuple(ids): score for ids, score in found} == pytest.approx(every, abs=1e-5)
    assert tuple(found[0][0]) == max(every, key=every.get)


CAPPED = ModelSpec(  # its two best logits are all but the cap, and differ in the last bit
    "rnn",
    vocab_size=10,
    d_model=10,
    n_layers=3,
    context_length=6,
    dropout=0.0,
    nonlinearity="relu",
    bias=False,
    logit_softcap=15.0,
    embedding_norm=True,
)


@given(CAUSAL, st.integers(1, 12), st.sets(st.integers(0, 3)), st.sampled_from([0.0, 1.0]))
@example(CAPPED, 10, set(), 0.0)
@settings(max_examples=40, deadline=None)
def test_a_beam_of_one_is_greedy(spec, prompt_length, stops, penalty):
    model = lively(spec)
    prompt = tokens(spec, 1, prompt_length)[0].tolist()
    more = {**answers(spec), "stop_ids": stops}
    found = beam(model, prompt, 20, width=1, length_penalty=penalty, **more)
    assert [ids for ids, _ in found] == [list(decode(model, prompt, 20, **more))]


def test_where_all_tokens_are_alike_a_beam_of_one_is_greedy():
    model = build(spec_of(vocab_size=300))
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    assert beam(model, [1], 4, width=1)[0][0] == list(decode(model, [1], 4)) == [0] * 4


def test_an_ended_continuation_counts_its_ending():
    model = lively(spec_of(vocab_size=4))
    found = beam(model, [1], 2, width=64, stop_ids={2})
    for ids, score in found:
        ended = len(ids) < 2
        assert 2 not in ids
        assert score == pytest.approx(log_probability(model, [1], [*ids, 2] if ended else ids))
    assert len(found) == 1 + 3 + 9  # nothing, one token, or two


def test_length_penalty_compares_by_token():
    model = lively(spec_of(vocab_size=4))
    plain = beam(model, [1], 4, width=64, stop_ids={2})
    by_token = beam(model, [1], 4, width=64, stop_ids={2}, length_penalty=1.0)
    average = [score / max(len(ids), 1) for ids, score in by_token]
    assert average == sorted(average, reverse=True)
    assert [score for _, score in plain] == sorted((score for _, score in plain), reverse=True)


def test_a_beam_without_width_is_refused():
    with pytest.raises(SpecError, match="0 wide"):
        beam(build(spec_of()), [1], 3, width=0)
