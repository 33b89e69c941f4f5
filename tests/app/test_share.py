"""Links: what they hold, what they hide, and that they bring back what their sender saw."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import playground.ui
from models.presets import PRESETS
from playground.text.spec import DataSpec, TokenizerSpec
from playground.training.recipes import recipe
from playground.ui.controls import CONTROLS
from playground.ui.model_settings import MAIN
from tests.app.test_train import config_of, fill, widget


def address(app: AppTest) -> dict[str, str]:
    """The query of the app's address."""
    return {name: values[0] if isinstance(values, list) else values for name, values in app.query_params.items()}


def again(app: AppTest):
    """What the form of somebody who opens the link makes."""
    return config_of(fill(**address(app)))


def test_the_recipe_needs_no_word():
    app = fill(preset="lstm-tiny")
    sent = config_of(app)
    assert address(app) == {"preset": "lstm-tiny", "corpus": "little-stories"}, "how it is cut is the usual way, too"
    assert again(app).to_dict() == sent.to_dict()


def test_a_part_of_a_text_is_said_with_how_it_is_cut():
    app = fill(preset="lstm-tiny", corpus="asv-bible", limit="1000000")
    sent = config_of(app)
    text = {"corpus": "asv-bible", "limit": "1000000", "tokenizer": "bpe", "vocabulary": "1024"}  # its first megabyte
    assert address(app) == {"preset": "lstm-tiny", **text}
    assert again(app).data == sent.data


@pytest.mark.parametrize("preset", ["modern-tiny", "bert-tiny", "gpt2-tiny"])
def test_settings_come_back_by_the_link(preset):
    app = fill(preset=preset)
    config_of(app)
    widget(app, "select_slider", "Steps").set_value(500)
    widget(app, "select_slider", "Learning rate").set_value(0.003)
    widget(app, "number_input", "Seed").set_value(7)
    widget(app, "selectbox", "Decay").set_value("linear")
    config_of(app)
    widget(app, "select_slider", "Evaluate every (steps)").set_value(100)
    widget(app, "slider", "Checkpoints to keep along the way, to look back at and to branch from").set_value(2)
    sent = config_of(app)
    assert sent.training.seed == 7 and sent.training.eval_every == 100 and len(sent.training.keep_steps) == 2
    assert again(app).training == sent.training


def test_a_built_model_and_a_text_cut_in_another_way_come_back():
    app = fill()
    model = PRESETS["gpt2-tiny"].spec.replace(n_layers=2, position="alibi")
    data = DataSpec("task-recall", options={"distance": 30, "noise": "same"}, tokenizer=TokenizerSpec("char", 300))
    app.session_state["draft.model"] = model.to_dict()
    app.session_state["draft.preset"] = "gpt2-tiny"
    app.session_state["draft.data"] = data.to_dict()
    sent = config_of(app)
    assert sent.model == model and sent.data == data
    got = again(app)
    assert got.model == model and got.data == data and got.training == sent.training


def now_and_then() -> None:
    """The form, or for a while another page."""
    import streamlit as st

    from playground.pages.train.plan import plan
    from playground.ui.stage import stage

    if not st.session_state.get("elsewhere"):
        st.session_state["config"] = plan(None, stage())


def test_settings_stay_when_another_page_was_open_meanwhile():
    app = AppTest.from_function(now_and_then, default_timeout=60)
    config_of(app)
    widget(app, "selectbox", "Model").set_value("lstm-tiny")
    widget(app, "selectbox", "Text").set_value("task-recall")
    config_of(app)
    widget(app, "select_slider", "Steps").set_value(300)
    sent = config_of(app)
    app.session_state["elsewhere"] = True
    app.query_params.clear()
    app.run()
    app.session_state["elsewhere"] = False
    assert config_of(app) == sent
    assert sent.training.steps == 300 and sent.preset == "lstm-tiny" and sent.data.corpus == "task-recall"


def test_nonsense_in_a_link_is_said_and_the_rest_taken():
    app = fill(preset="lstm-tiny", steps="many", seed="3", lr="-1")
    config = config_of(app)
    assert config.training.seed == 3
    assert config.training.steps == recipe("lstm-tiny").steps and config.training.lr == recipe("lstm-tiny").lr
    told = " ".join(error.value for error in app.error)
    assert "steps must be a whole number" in told and "lr is" in told


@pytest.mark.parametrize("page", CONTROLS)
def test_every_control_that_can_be_hidden_has_its_place(page):
    root = Path(playground.ui.__file__).parents[1]
    sources = "".join(path.read_text() for folder in ("ui", "pages") for path in (root / folder).rglob("*.py"))
    inside = "".join(path.read_text() for path in (root / "ui/components").glob("*.css"))
    assert "--control-${data.page}-run" in (root / "ui/components/models_drawer.js").read_text(), (
        "the model, on every page"
    )
    for name in CONTROLS[page].keys() - {"run"}:
        placed = f'control("{page}", "{name}"' in sources or f"--control-{page}-{name}," in inside
        assert placed or (page == "build" and name in MAIN and 'control("build", name)' in sources), name


def test_a_link_hides_what_it_names_and_keeps_hiding_it(open_page):
    app = open_page("build", hide="build.n_layers,data,no.such,build.n_layers")
    assert address(app)["hide"] == "build.n_layers,data"
    drawn = " ".join(html.proto.body for html in app.get("html"))
    assert ".st-key-control-build-n_layers { display: none !important; }" in drawn
    app.slider(key="build.d_model").set_value(256).run()
    assert address(app)["hide"] == "build.n_layers,data"


@pytest.mark.parametrize(
    ("netloc", "listens", "written"),
    [
        ("localhost:8501", "0.0.0.0", "192.0.2.7:8501"),
        ("127.0.0.1", "0.0.0.0", "192.0.2.7"),
        ("[::1]:8501", "::", "192.0.2.7:8501"),
        ("localhost:8501", "localhost", "localhost:8501"),
        ("school.example:80", "0.0.0.0", "school.example:80"),
    ],
)
def test_the_link_names_the_machine_as_others_know_it(monkeypatch, netloc, listens, written):
    from playground.ui import share_link

    monkeypatch.setattr(share_link, "own_address", lambda: "192.0.2.7")
    monkeypatch.setattr(share_link.st, "get_option", lambda name: listens)
    assert share_link.outside(netloc) == written
    assert share_link.is_local(f"http://{written}/train") == written.startswith("localhost")


def test_before_a_room_the_code_is_a_tile_whose_link_presents_nothing(open_page, monkeypatch):
    from playground.ui import share_link

    codes = []
    monkeypatch.setattr(share_link, "is_local", lambda address: False)
    monkeypatch.setattr(
        share_link, "qr_code", lambda address: codes.append(address) or "<svg xmlns='http://www.w3.org/2000/svg'/>"
    )
    app = open_page("home", present="1", run="bible-decoder")
    assert not codes
    app.button(key="share.turn").click().run()
    assert codes and all("present" not in address and "run=bible-decoder" in address for address in codes)
    codes.clear()
    app.button(key="share.turn").click().run()
    assert not codes
