"""The Train page without a browser: the form makes the run it says, the watched run says how it is."""

import os

import pytest
from streamlit.testing.v1 import AppTest

from models.parameter_counts import parameter_counts
from models.presets import PRESETS
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.training import worker
from playground.training.recipes import recipe
from playground.ui.number_format import bytes_of
from tests.support.made_runs import make_run


def planned() -> None:
    """The form alone; what it makes is left in the session."""
    import streamlit as st

    from playground.pages.train.plan import plan
    from playground.ui.stage import stage

    st.session_state["config"] = plan(None, stage())


def fill(**query: str) -> AppTest:
    app = AppTest.from_function(planned, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app


def config_of(app: AppTest):
    app.run()
    assert not app.exception, app.exception
    return app.session_state["config"]


def widget(app: AppTest, kind: str, label: str):
    return next(found for found in app.get(kind) if found.label == label)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name.endswith("tiny")])
def test_every_preset_is_offered_with_its_recipe(preset):
    config = config_of(fill(preset=preset))
    assert config.model == PRESETS[preset].spec and config.preset == preset
    usual = recipe(preset)
    watching = {name: getattr(usual, name) for name in ("eval_every", "sample_every", "keep_steps")}
    assert config.training.replace(**watching) == usual
    kept = config.training.keep_steps
    assert len(kept) == 5 and kept[-1] == config.training.steps, "there is a past to look back at"


def test_snapshots_are_told_with_their_size_before_it_trains():
    told = lambda app: [each.value for each in app.caption if "snapshots" in each.value]
    app = fill(preset="gpt2-tiny")
    config = config_of(app)
    vocabulary = config.data.tokenizer.vocab_size
    bytes_each = 2 * sum(parameter_counts(config.model.replace(vocab_size=vocabulary)).values())
    assert config.training.snapshots == -1
    assert told(app) == [f"15 snapshots of the weights along the way, {bytes_of(15 * bytes_each)}."]
    box = lambda: widget(app, "slider", "Snapshots of the weights along the way, to see how it learned")
    box().set_value(4)
    assert config_of(app).training.snapshots == 4 and bytes_of(4 * bytes_each) in told(app)[0]
    assert app.query_params["snapshots"] in ("4", ["4"])
    box().set_value(0)
    assert config_of(app).training.snapshots == 0 and not told(app)
    box().set_value(15)
    assert config_of(app).training.snapshots == -1 and "snapshots" not in app.query_params
    linked = fill(preset="gpt2-tiny", snapshots="7")
    assert config_of(linked).training.snapshots == 7 and told(linked)[0].startswith("7 snapshots")
    large = fill(preset="gpt2-small")
    assert config_of(large).training.snapshots == -1 and not told(large)


def test_nothing_said_is_a_small_decoder_on_a_readable_text():
    config = config_of(fill())
    assert (config.preset, config.data.corpus, config.data.max_bytes) == ("llama-tiny", "little-stories", None)
    assert config.data.tokenizer == TokenizerSpec("word", 1024)
    chinese = config_of(fill(lang="zh"))
    assert (chinese.preset, chinese.data.corpus) == ("llama-tiny", "little-stories-zh")
    assert chinese.data.tokenizer == TokenizerSpec("word", 1024)


def test_an_old_link_to_a_text_opens_all_of_it():
    assert config_of(fill(corpus="asv-bible")).data.max_bytes is None
    assert config_of(fill(corpus="asv-bible", limit="1000000")).data.max_bytes == 1_000_000


def test_a_model_that_does_not_fit_into_the_memory_is_told_before_it_is_trained(monkeypatch):
    monkeypatch.setattr("playground.ui.model_costs.free_memory", lambda: 100_000_000)
    app = fill(preset="gpt2-tiny")
    config_of(app)
    assert not app.warning
    large = fill(preset="gpt2-small")
    assert config_of(large).training.batch_size > 1
    assert any("Training this needs about" in each.value for each in large.warning)


def test_parts_of_a_batch_need_the_memory_of_a_part(monkeypatch):
    from playground.ui.model_costs import warning

    model, whole = PRESETS["gpt2-tiny"].spec, recipe("gpt2-tiny", batch_size=64)
    monkeypatch.setattr("playground.ui.model_costs.free_memory", lambda: 100_000_000)
    assert warning(model, whole) and not warning(model, whole.replace(gradient_accumulation_steps=16))


def test_one_layer_and_thousands_are_written_so():
    from playground.pages.train.plan import summary

    spec = PRESETS["gpt2-tiny"].spec
    assert (
        summary(spec.replace(n_layers=1, context_length=2048))
        == "Decoder, 1 layer, 128 channels, context of 2,048 tokens"
    )


def test_what_build_and_data_left_is_taken_up():
    app = fill()
    spec = PRESETS["gpt2-tiny"].spec.replace(n_layers=2)
    app.session_state["draft.model"] = spec.to_dict()
    app.session_state["draft.preset"] = "gpt2-tiny"
    data = DataSpec("task-recall", options={"distance": 30}, tokenizer=TokenizerSpec("char"))
    app.session_state["draft.data"] = data.to_dict()
    config = config_of(app)
    assert config.model == spec and config.data == data


def test_the_warm_up_follows_the_steps_until_somebody_says_how_long_it_is():
    app = fill(preset="bert-tiny")
    assert config_of(app).training.warmup_steps == 200
    widget(app, "select_slider", "Steps").set_value(100)
    assert config_of(app).training.warmup_steps == 10
    assert "warmup_steps" not in app.query_params, "what follows by itself is not said"
    widget(app, "number_input", "Warm-up (steps)").set_value(150)
    assert config_of(app).training.warmup_steps == 150
    assert any("never reached" in warning.value for warning in app.warning)
    widget(app, "select_slider", "Steps").set_value(500)
    assert config_of(app).training.warmup_steps == 150
    assert not any("never reached" in warning.value for warning in app.warning)
    assert config_of(fill(preset="bert-tiny", steps="100", warmup_steps="30")).training.warmup_steps == 30


def test_settings_go_into_the_run():
    app = fill(preset="lstm-tiny")
    config_of(app)
    widget(app, "select_slider", "Steps").set_value(500)
    widget(app, "select_slider", "Learning rate").set_value(0.01)
    config = config_of(app)
    assert config.training.steps == 500 and config.training.lr == 0.01
    assert config.training.eval_every == 25, "a short run is looked at just as often"


def test_muon_moves_with_the_learning_rate():
    app = fill(preset="modern-tiny")
    config_of(app)
    widget(app, "select_slider", "Learning rate").set_value(0.003)
    assert config_of(app).training.muon_lr == pytest.approx(0.01)


def test_pairs_are_offered_to_who_reads_pairs():
    app = fill(preset="seq2seq-tiny")
    config = config_of(app)
    assert config.data.corpus.startswith("task-")
    assert "The Python language reference" not in widget(app, "selectbox", "Text").options


def test_a_branch_keeps_the_shape_and_names_its_parent(new_run):
    parent = new_run()
    assert worker.run(parent) == "finished"
    config = config_of(fill(parent=f"{parent.id}@12"))
    assert config.parent == {"run": parent.id, "step": 12} and config.model == parent.config().model
    assert config.data == parent.config().data and config.name.startswith("a small run")


def test_a_run_is_called_by_what_it_does():
    runs = RunStore()
    for run in runs.list():
        runs.delete(run.id)
    config = config_of(fill(preset="lstm-tiny", corpus="python-docs"))
    assert config.name == "LSTM tiny reads the Python reference · 2,000 steps"
    runs.create(config)
    assert config_of(fill(preset="lstm-tiny", corpus="python-docs")).name == f"{config.name} (2)"
    app = fill(preset="lstm-tiny", corpus="task-recall")
    config_of(app)
    widget(app, "select_slider", "Batch size (sequences per step)").set_value(24)
    assert config_of(app).name == "LSTM tiny learns to remember one symbol · 2,000 steps · batch size 24"


# A run on the same screen as its plan


@pytest.fixture
def run_made():
    return make_run(RunStore().root.parent, "a run to change", steps=20)


def test_a_run_stands_in_its_own_plan(open_page, run_made):
    app = open_page("train", run=run_made.id)
    assert not app.exception and not app.error
    assert widget(app, "select_slider", "Steps").value == run_made.config().training.steps
    assert not [button for button in app.button if "with these changes" in button.label], "nothing is changed yet"
    assert "lr" not in app.query_params and "preset" not in app.query_params


def test_a_changed_setting_makes_the_next_run_and_keeps_the_last_ones_pale(open_page, run_made, monkeypatch):
    monkeypatch.setattr("playground.pages.train.watch.submit", lambda run: 0)
    app = open_page("train", run=run_made.id)
    before = run_made.config().training.lr
    slider = widget(app, "select_slider", "Learning rate")
    slider.set_value(0.01 if before != 0.01 else 0.02).run()
    (button,) = [button for button in app.button if "with these changes" in button.label]
    assert button.label == f"Train with these changes (learning rate {before:g} → 0.01)"
    assert app.query_params["lr"] == "0.01", "a link opens the changed plan"
    button.click().run()
    following = next(run for run in RunStore().list() if run.config().training.lr == 0.01)
    assert following.config().replace(name="-", training=run_made.config().training) == run_made.config().replace(
        name="-"
    )
    assert following.name.endswith("learning rate 0.01")


def test_a_run_that_trains_is_stopped_when_its_successor_begins(open_page, run_made, monkeypatch):
    asked = []
    monkeypatch.setattr("playground.pages.train.watch.submit", lambda run: asked.append("start"))
    monkeypatch.setattr("playground.pages.train.watch.halt", lambda run, how: asked.append(how))
    run_made.update_status(state="running", step=3, steps=20)
    app = open_page("train", run=run_made.id)
    widget(app, "select_slider", "Steps").set_value(50).run()
    (button,) = [button for button in app.button if "with these changes" in button.label]
    assert "is stopped and kept" in button.help
    button.click().run()
    assert asked == ["stop", "start"]


def test_a_finished_run_turns_to_its_result(open_page, run_made):
    from playground.pages.train.watch import watch  # noqa: F401

    app = open_page("train", run=run_made.id)
    told = " ".join(each.value for each in app.markdown)
    assert "loss" in told, "the verdict stands under the picture"


def test_a_run_that_is_gone_says_so_and_the_form_is_there(open_page):
    app = open_page("train", run="no-such-run")
    assert "no run" in app.error[0].value
    assert any(button.label == "Train" for button in app.button)


def test_a_failed_run_explains_itself(open_page):
    run = make_run(RunStore().root.parent, "too fast", breaks=True)
    app = open_page("train", run=run.id)
    assert "stopped being a number" in app.error[0].value
    assert any("third of the learning rate" in button.label for button in app.button)


@pytest.mark.parametrize("shape, told", [("pairs", True), ("labelled", False)])
def test_what_was_left_out_of_a_runs_text_is_told_beside_its_curves(open_page, shape, told):
    run = make_run(RunStore().root.parent, f"left out of {shape}", steps=20)
    notes = ["Rows left out, since they have no text: 3 (first: row 7)."]
    run.write_config(run.config(), data_shape=shape, data_info={"notes": notes})
    app = open_page("train", run=run.id)
    assert not app.exception
    assert any("no text: 3" in caption.value.replace("\\", "") for caption in app.caption) == told


def test_an_interrupted_run_can_be_resumed(open_page, new_run):
    run = new_run()
    run.update_status(state="running", step=3, steps=12)
    status = (run.path / "status.json").read_text().replace('"pid": ', '"pid": 9999')
    (run.path / "status.json").write_text(status)
    app = open_page("train", run=run.id)
    assert any("ended unexpectedly" in each.value for each in app.warning)
    assert any(button.label == "Resume" for button in app.button)


def test_a_run_that_waits_is_told_what_it_waits_for(open_page, new_run, tmp_path, monkeypatch):
    from playground.core import locks
    from playground.runs import queue, submit

    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    started = []
    monkeypatch.setattr(submit, "launch", lambda: started.append("dispatcher"))
    monkeypatch.setattr(submit, "_AGAIN", 1e9)  # however slow the machine is
    monkeypatch.setattr(submit, "_revived", -1e9)
    run = new_run()
    run.update_status(state="queued", device="cpu")
    queue.enqueue(run.id, "cpu", run.path)
    told = lambda: " ".join(info.value for info in open_page("train", run=run.id).info)
    assert "is being started" in told() and started == ["dispatcher"], "none lives: whoever looks starts one"
    assert "is being started" in told() and started == ["dispatcher"]
    dispatcher = locks.try_lock(submit.lock_path())
    assert "this run's turn" in told()
    slot = locks.try_lock(queue.root() / "cpu" / "slot-0")
    os.write(slot, b"another-run")
    assert "busy with another run" in told()
    for handle in (dispatcher, slot):
        os.close(handle)


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "A chip CPU, 2 threads, float32"), ("zh", "A chip CPU，2 个线程，float32")]
)
def test_where_it_trains_is_said_in_the_persons_language(open_page, new_run, lang, said):
    run = new_run()
    run.update_status(state="paused", step=3, steps=9, device="A chip CPU, 2 threads, float32")
    app = open_page("train", run=run.id, lang=lang)
    assert any(bar.proto.text.endswith(said) for bar in app.get("progress"))
