"""Switching off and patching: nothing for nothing, and for a head exactly its share."""

import string

import numpy as np
import pytest
import torch

from playground import gallery
from playground.core.errors import PlaygroundError
from playground.inspection import ablation
from playground.inspection.attention import attention_weights
from playground.inspection.capture import residual_streams
from playground.inspection.heads import induction_scores
from playground.inspection.prediction_task import PredictionTask, log_probabilities, losses, prediction_task
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model
from tests.unit.inspection.test_attention import IDS, SPECS, seeded
from tests.unit.inspection.test_predictions import asked_of


@pytest.mark.parametrize("name", SPECS)
def test_changing_nothing_changes_nothing(name):
    model, task = seeded(name), asked_of(name)
    found = ablation.effect(model, task, {})
    assert (found.rows_before == found.rows_after).all() and found.loss_increase == 0


@pytest.mark.parametrize("name", ["gpt2", "grouped, rotary", "bert"])
def test_a_head_switched_off_is_its_slice_of_the_output_matrix_at_zero(name):
    model, task = seeded(name), asked_of(name)
    found = ablation.effect(model, task, {"layers.1.attention.heads": ablation.without_heads([2])})
    with torch.no_grad():
        model.layers[1].attention.output.weight[:, 2 * 8 : 3 * 8] = 0
    expected = log_probabilities(model, task)[0].exp().numpy()
    assert np.abs(found.rows_after - expected).max() < 1e-6
    assert np.abs(found.rows_after - found.rows_before).max() > 1e-6


def test_an_mlp_switched_off_is_its_matrix_at_zero():
    model, task = seeded("gpt2"), asked_of("gpt2")
    found = ablation.effect(model, task, {"layers.0.mlp.output": ablation.without()})
    with torch.no_grad():
        model.layers[0].mlp.down.weight.zero_()
        model.layers[0].mlp.down.bias.zero_()
    assert np.abs(found.rows_after - log_probabilities(model, task)[0].exp().numpy()).max() < 1e-6


def test_a_head_from_the_same_text_changes_nothing_and_from_another_one_something():
    model, task = seeded("gpt2"), asked_of("gpt2")
    other = prediction_task(IDS[::-1], "clm")
    name = "layers.0.attention.heads"
    own, there = (ablation.recorded(model, q, ".heads")[name] for q in (task, other))
    assert ablation.effect(model, task, {name: ablation.patched_heads(own, [0, 1])}).loss_increase == pytest.approx(
        0, abs=1e-6
    )
    assert abs(ablation.effect(model, task, {name: ablation.patched_heads(there, range(4))}).loss_increase) > 1e-6


def test_texts_of_different_length_are_refused():
    with pytest.raises(PlaygroundError, match="tokens"):
        ablation.same_length(prediction_task(IDS, "clm"), prediction_task(IDS[:4], "clm"))


def test_all_heads_at_once_are_ranked_as_one_by_one():
    model, task = seeded("gpt2"), asked_of("gpt2")
    together = ablation.rank_heads(model, task)
    for layer in range(2):
        for head in range(4):
            change = {ablation.heads_name("self", layer): ablation.without_heads([head])}
            assert together[layer, head] == pytest.approx(ablation.effect(model, task, change).loss_increase, abs=1e-5)
    assert ablation.rank_heads(model, task, max_tokens=14) == pytest.approx(together, abs=1e-5)
    mean = ablation.effect(
        model, task, {"layers.1.attention.heads": ablation.without_heads([3], mean=True)}
    ).loss_increase
    assert ablation.rank_heads(model, task, mean=True)[1, 3] == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("name", ["gpt2", "grouped, rotary", "bert", "pairs"])
@pytest.mark.parametrize("depth", [0, -1])
def test_a_whole_stream_from_another_text_tells_that_texts_answer(name, depth):
    """Whether before the first layer or after the last one, nothing of the own text is left."""
    model, task, other = seeded(name), asked_of(name), another(name)
    at = residual_streams(model.spec)[depth]
    there = ablation.recorded(model, other, "embeddings", ".output")[at]
    found = ablation.effect(model, task, {at: ablation.patched_positions(there, range(len(IDS)))})
    assert np.abs(found.rows_after - log_probabilities(model, other)[0].exp().numpy()).max() < 1e-5
    same = ablation.recorded(model, task, "embeddings", ".output")[at]
    found = ablation.effect(model, task, {at: ablation.patched_positions(same, range(len(IDS)))})
    assert np.abs(found.rows_after - found.rows_before).max() < 1e-5


def another(name: str):
    """As many tokens; two of them in each other's place."""
    ids = [*IDS[:2], IDS[5], *IDS[3:5], IDS[2], IDS[6]]
    if name == "bert":
        task = asked_of(name)
        return PredictionTask(task.inputs[::-1].copy(), task.targets)
    return prediction_task(ids, "seq2seq" if name == "pairs" else "clm", [6, 22, 14, 8] if name == "pairs" else None)


@pytest.mark.parametrize("name", ["gpt2", "pairs"])
def test_all_places_at_once_are_ranked_as_one_by_one(name):
    model, task, other = seeded(name), asked_of(name), another(name)
    table = ablation.causal_trace(model, task, other)
    names = residual_streams(model.spec)
    assert table.shape == (3, len(IDS))
    there = ablation.recorded(model, other, "embeddings", ".output")
    for depth, at in enumerate(names):
        for place in range(len(IDS)):
            one = ablation.effect(model, task, {at: ablation.patched_positions(there[at], [place])}).loss_increase
            assert table[depth, place] == pytest.approx(one, abs=1e-5)
    assert np.abs(table[:, -1]).max() < 1e-5, (
        "nothing is asked at the last place, and it cannot be seen from the others"
    )
    wide = ablation.causal_trace(model, task, other, width=3)
    pair = ablation.effect(
        model, task, {names[1]: ablation.patched_positions(there[names[1]], [3, 4, 5])}
    ).loss_increase
    assert wide.shape == (3, 3) and wide[1, 1] == pytest.approx(pair, abs=1e-5)
    if name == "gpt2":
        assert np.abs(table[:, :2]).max() < 1e-5, "both texts begin alike"
        assert np.abs(table[:, 2]).min() > 1e-5


def test_heads_from_another_text_are_ranked_as_one_by_one():
    model, task, other = seeded("gpt2"), asked_of("gpt2"), another("gpt2")
    table = ablation.rank_heads(model, task, other=other)
    there = ablation.recorded(model, other, ".heads")
    for layer in range(2):
        for head in range(4):
            at = ablation.heads_name("self", layer)
            one = ablation.effect(model, task, {at: ablation.patched_heads(there[at], [head])}).loss_increase
            assert table[layer, head] == pytest.approx(one, abs=1e-5)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_gates_are_ranked_as_one_by_one_and_patched(kind):
    from playground.pages.explore.intervene import GATES
    from tests.unit.inspection.test_recurrence import seeded as recurrent

    model, task, other = recurrent(kind), prediction_task(IDS, "clm"), prediction_task(IDS[::-1], "clm")
    gates = [[f"layers.{layer}.{gate}"] for layer in range(2) for gate in GATES[kind]]
    held = ablation.rank_gates(model, task, gates)
    patched = ablation.rank_gates(model, task, gates, other=other)
    there = ablation.recorded(model, other, *GATES[kind])
    for i, (name,) in enumerate(gates):
        for j, level in enumerate((0.0, 1.0)):
            one = ablation.effect(model, task, {name: ablation.held_at(level)}).loss_increase
            assert held[i, j] == pytest.approx(one, abs=1e-6) and abs(one) > 1e-7
        assert patched[i, 0] == pytest.approx(
            ablation.effect(model, task, {name: ablation.patched(there[name])}).loss_increase
        )
        own = ablation.recorded(model, task, name)[name]
        assert ablation.effect(model, task, {name: ablation.patched(own)}).loss_increase == pytest.approx(0, abs=1e-6)
        one_unit = ablation.effect(model, task, {name: ablation.patched(there[name], [3])})
        assert np.abs(one_unit.rows_after - one_unit.rows_before).max() > 0


def test_a_gate_held_open_is_what_the_equations_say():
    """A forget gate at 1 and an input gate at 0: the cell never leaves 0, and the state with it."""
    from playground.inspection.capture import capture
    from tests.unit.inspection.test_recurrence import seeded as recurrent

    model = recurrent("lstm")
    held = {}

    def hook(name, value):
        value = ablation.hook_of({"layers.0.gates.input": ablation.held_at(0.0)})(name, value)
        held[name] = value
        return value

    model(torch.tensor([IDS]), hook=hook)
    assert (held["layers.0.hidden"] == 0).all()
    assert np.abs(capture(model, IDS)["layers.0.hidden"]).max() > 0


@pytest.fixture(scope="module")
def copier():
    run = gallery.get("induction")
    tokenizer = Tokenizer.load(run.tokenizer_path)
    symbols = tokenizer.encode(string.ascii_letters + string.digits)
    sequence = np.random.default_rng(1).permutation(symbols)[:14].tolist()
    return run, tokenizer, symbols, [*sequence, tokenizer.bos_id, *sequence]


def test_the_copiers_induction_head_is_found_and_needed_most(copier):
    run, tokenizer, symbols, ids = copier
    model = load_model(run)
    scores = induction_scores(model, symbols, middle=(tokenizer.bos_id,))
    found = np.unravel_index(scores.argmax(), scores.shape)
    assert found[0] == 1, "it needs a layer before it that looks at the previous token"
    assert scores.max() > 0.3 and np.sort(scores, axis=None)[-2] < 0.1, "one head, and no other"
    loss_increase = ablation.rank_heads(model, prediction_task(ids, "clm", answer_from=14))
    assert np.unravel_index(loss_increase.argmax(), loss_increase.shape) == found
    assert loss_increase.max() > 3, "without it the model is lost"
    weights = attention_weights(model, ids)["self"]
    previous = weights[0, :, np.arange(1, 29), np.arange(28)].mean(0)
    assert previous.max() > 0.3, "and the first layer has a previous-token head"


def test_what_the_copier_copies_runs_through_its_induction_head(copier):
    """Two symbols exchanged in the text that is read: the head, taken from there, brings their answer along."""
    run, tokenizer, _, ids = copier
    model = load_model(run)
    mixed = [*ids[:6], ids[7], ids[6], *ids[8:15], *ids[15:21], ids[22], ids[21], *ids[23:]]
    task, other = prediction_task(ids, "clm", answer_from=14), prediction_task(mixed, "clm", answer_from=14)
    loss_increase = ablation.rank_heads(model, task, other=other)
    least, most = np.sort(loss_increase, axis=None)[-2:]
    assert np.unravel_index(loss_increase.argmax(), loss_increase.shape) == (1, 3) and most > 2 * least
    at = ablation.heads_name("self", 1)
    there = ablation.recorded(model, other, ".heads")[at]
    rows = ablation.effect(model, task, {at: ablation.patched_heads(there, [3])}).rows_after
    assert rows[20].argmax() == ids[7], "it now says what the other text says there"


def test_the_copier_knows_the_second_half_and_can_only_guess_the_first(copier):
    """Of any length: a copier by a fixed distance would fail at all lengths but one."""
    run, tokenizer, symbols, _ = copier
    model, rng = load_model(run), np.random.default_rng(2)
    first, second = [], []
    for length in (6, 11, 17, 23, 28):
        for _ in range(8):
            sequence = rng.choice(symbols, length).tolist()
            task = prediction_task([*sequence, tokenizer.bos_id, *sequence], "clm")
            nats = losses(log_probabilities(model, task)[0], task)
            first.append(nats[: length - 1].mean())
            second.append(nats[length:].mean())
    assert abs(np.mean(first) - np.log(62)) < 0.2, "62 symbols, each as likely"
    assert max(second) < 0.2


def test_the_head_was_not_there_at_the_beginning(copier):
    run, tokenizer, symbols, _ = copier
    steps = run.checkpoints()
    assert steps[0] == 0 and len(steps) >= 5
    early = induction_scores(load_model(run, 0), symbols, middle=(tokenizer.bos_id,))
    assert early.max() < 0.1
