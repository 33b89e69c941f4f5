"""Gates and states, and what a model does without a part, as their pages say it: against numbers got another way."""

import json
import re

import pytest
import torch

from playground import gallery
from playground.inspection.ablation import heads_name, without_heads, writes_on
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model
from playground.ui import measuring, server_start
from tests.app.test_explore import texts

TEXT = "And God said, Let there be light: and there was light. And God saw"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    server_start.torch_loaded.set()
    monkeypatch.setattr(measuring, "PATIENCE", 60)


def shown(app) -> dict:
    """What the play head's drawing was given."""
    found = [element.proto for element in app.get("bidi_component")]
    held = [json.loads(proto.json) for proto in found if proto.json]
    return next(data for data in held if "gauges" in data)


def forget_gates(ids: list[int]) -> torch.Tensor:
    """Of the second layer of the LSTM that ships, by PyTorch's own cells: ``[tokens, units]``."""
    model = load_model(gallery.get("bible-lstm"))
    lstm, gates = model.recurrent, []
    with torch.no_grad():
        x = lstm_layer(lstm, 0, model.embedding(torch.tensor(ids)))[0]
        for before, now in zip(lstm_layer(lstm, 1, x)[1], x, strict=True):
            mixed = lstm.weight_ih_l1 @ now + lstm.bias_ih_l1 + lstm.weight_hh_l1 @ before + lstm.bias_hh_l1
            gates.append(mixed.chunk(4)[1].sigmoid())  # PyTorch's order: input, forget, cell, output
    return torch.stack(gates)


def lstm_layer(lstm, layer: int, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The hidden states, and those before each token."""
    cell = torch.nn.LSTMCell(x.shape[1], lstm.hidden_size)
    cell.load_state_dict({name: getattr(lstm, f"{name}_l{layer}") for name in cell.state_dict()})
    state = torch.zeros(1, lstm.hidden_size), torch.zeros(1, lstm.hidden_size)
    before, after = [], []
    for row in x:
        before.append(state[0][0])
        state = cell(row[None], state)
        after.append(state[0][0])
    return torch.stack(after), before


def test_where_it_forgets_most_is_where_its_gates_are_most_closed(open_page):
    app = open_page("explore", run="bible-lstm", view="recurrent", text=TEXT)
    from playground.ui import cached

    ids = cached.tokenizer(gallery.get("bible-lstm")).encode(TEXT)
    kept = forget_gates(ids).mean(1)
    at = 1 + int(kept[1:].argmin())  # the first token finds nothing to forget
    assert f"mean forget gate {kept[at]:.2f}, after the first token {kept[1:].mean():.2f}" in texts(app)
    drawn = shown(app)
    assert drawn["tapes"][0]["without"] == 0, "its gate is open or not for nothing"
    assert drawn["marked"] == at and [gauge["letter"] for gauge in drawn["gauges"]] == ["f", "i", "g", "o"]
    assert drawn["gauges"][0]["mean"] == pytest.approx(kept.tolist(), abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "letters", "said"), [("gru", ["r", "z", "n"], "update gate"), ("rnn", ["h"], "changes most")]
)
def test_other_cells_have_other_gates(open_page, new_run, kind, letters, said):
    from playground.training import worker

    run = new_run({"architecture": kind, "context_length": 32}, {"objective": "clm"}, {"corpus": "python-docs"})
    assert worker.run(run) == "finished"
    app = open_page("explore", run=run.id, view="recurrent", text="a list of words and what they do")
    assert [gauge["letter"] for gauge in shown(app)["gauges"]] == letters and said in texts(app)
    assert not open_page("explore", run=run.id, view="intervene", text="a list of words").error


@pytest.mark.parametrize("run", ["recall-rnn", "recall-lstm", "recall-gru"])
def test_what_is_told_is_the_extreme_of_what_is_drawn(open_page, run):
    drawn = shown(open_page("explore", run=run, view="recurrent"))
    tape = drawn["tapes"][0]
    bars = {index: value for index, value in enumerate(tape["values"]) if index != tape["without"]}
    extreme = max if run == "recall-rnn" else min
    assert drawn["marked"] == extreme(bars, key=bars.get) and tape["without"] == 0


@pytest.mark.parametrize(
    ("address", "look"),
    [
        ({}, "gates"),
        ({"unit": "3"}, "states"),
        ({"signal": "gates.forget"}, "states"),
        ({"order": "number"}, "states"),
        ({"look": "gates", "unit": "3"}, "gates"),
        ({"look": "unit", "unit": "3"}, "unit"),
    ],
)
def test_old_links_open_all_units_and_new_ones_the_gates(open_page, address, look):
    app = open_page("explore", run="bible-lstm", view="recurrent", **address)
    assert app.selectbox[0].value == look and not app.error
    if "unit" in address:
        assert next(box for box in app.number_input if ".unit." in box.key).value == 3


def test_all_units_open_folded(open_page):
    app = open_page("explore", run="bible-lstm", view="recurrent", look="states")
    assert "The 16 of 128 units that vary most" in texts(app)
    app.toggle(key="explore.recurrent.all").set_value(True).run()
    assert "units that vary most" not in texts(app) and not app.error
    app = open_page("explore", run="bible-lstm", view="recurrent", look="states", unit="101")
    assert "The 16 of 128 units" in texts(app), "the one that is asked for is among them"


def test_a_head_that_is_off_is_off_while_it_writes():
    """Token by token what a model writes whose matrix has zeros for that head."""
    whole, cut = (load_model(gallery.get("induction")) for _ in range(2))
    tokenizer = Tokenizer.load(gallery.get("induction").tokenizer_path)
    ids = [*tokenizer.encode("76taG5jb3K"), tokenizer.bos_id]
    assert writes_on(whole, ids, {}, 6) == greedy(whole, ids, 6)
    width = whole.spec.d_model // whole.spec.n_heads
    with torch.no_grad():
        cut.layers[1].attention.output.weight[:, 3 * width : 4 * width] = 0
    changes = {heads_name("self", 1): without_heads([3])}
    assert writes_on(whole, ids, changes, 6) == greedy(cut, ids, 6)
    assert writes_on(whole, ids, changes, 6) != writes_on(whole, ids, {}, 6)


@torch.no_grad()
def greedy(model, ids: list[int], n: int) -> list[int]:
    text = list(ids)
    for _ in range(n):
        text.append(int(model(torch.tensor([text])).logits[0, -1].argmax()))
    return text[len(ids) :]


def test_what_is_about_nothing_says_so(open_page):
    app = open_page("explore", run="dates", view="intervene")
    assert "this text is too easy or too short" in texts(app)
    held = [json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.json]
    labels = next(data["labels"] for data in held if "labels" in data)
    assert {label for row in labels for label in row} == {"≈ 0"}
    app = open_page("explore", run="induction", view="intervene")
    held = [json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.json]
    labels = next(data["labels"] for data in held if "labels" in data)
    assert re.fullmatch(r"\+\d+\.\d\d", labels[1][3])


def test_a_measurement_can_be_stopped_and_begun_again(monkeypatch):
    begun = measuring.Measurement("Writing …", lambda job: [job.progress(i / 1e9) for i in range(10**9)]).start()
    begun.stop()
    begun.wait(30)
    assert begun.is_over and begun.result is None and begun.error is None


def test_gradients_of_some_passages_at_a_time_are_those_of_all_at_once():
    import numpy as np

    from playground.inspection.recurrence import gradient_by_distance
    from playground.pages.explore import recurrent

    model = load_model(gallery.get("bible-lstm"))
    windows = np.random.default_rng(0).integers(0, 1000, (2 * recurrent.AT_ONCE + 1, 20))
    job = measuring.Measurement("Measuring the gradients …", lambda job: None)
    (value,) = recurrent.measure([("a", "b", "lstm", recurrent.by_distance(model), windows)], job)
    assert value == pytest.approx(gradient_by_distance(model, windows), rel=1e-4) and job.share > 0.5
