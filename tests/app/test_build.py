"""The Build page: choices become a model, impossible ones a sentence, links bring them back."""

import pytest

from models.presets import PRESETS
from models.spec import ModelSpec


@pytest.fixture
def shown(monkeypatch):
    """The arguments of every drawing, in order."""
    import playground.pages.build.page as build

    drawn = []
    monkeypatch.setattr(build, "architecture", lambda *args, **names: drawn.append(args))
    return drawn


def widget(app, kind: str, name: str):
    return getattr(app, kind)(key=f"build.{name}")


def facts(drawn: list) -> dict[str, str]:
    """The large numbers of the latest drawing."""
    return {name: value for name, value, _ in drawn[-1][2]}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_opens(open_page, shown, preset):
    app = open_page("build", preset=preset)
    spec = PRESETS[preset].spec
    assert not app.error
    assert app.session_state["draft.preset"] == preset
    assert ModelSpec.from_dict(app.session_state["draft.model"]) == spec
    assert widget(app, "slider", "d_model").value == spec.d_model
    assert facts(shown)["Parameters"]


def test_an_optimizer_is_named_as_on_train(open_page, shown):
    open_page("build", preset="modern-tiny")
    assert [note for name, _, note in shown[-1][2] if name == "Training memory"] == [
        "12 sequences of 64 tokens, Muon + AdamW"
    ]


def test_a_wider_layer_costs_more(open_page, shown):
    app = open_page("build", preset="modern-tiny")
    before = facts(shown)["Parameters"]
    widget(app, "slider", "d_model").set_value(256).run()
    assert app.session_state["draft.model"]["d_model"] == 256
    assert before == "1.05 M" and facts(shown)["Parameters"] == "3.67 M"
    assert app.query_params["d_model"] == "256"
    widget(app, "slider", "d_model").set_value(128).run()
    assert "d_model" not in app.query_params


def test_what_cannot_be_is_said_beside_its_control_and_the_picture_stays(open_page, shown):
    app = open_page("build")
    widget(app, "slider", "n_heads").set_value(6).run()
    assert len(app.error) == 1
    assert "do not divide into 6 heads" in app.error[0].value
    assert app.session_state["draft.model"]["n_heads"] == 4
    assert "4" in shown[-1][0].main.svg()
    assert app.button(key="build.train").disabled
    widget(app, "slider", "d_model").set_value(144).run()
    assert not app.error and app.session_state["draft.model"]["n_heads"] == 6


@pytest.mark.parametrize(
    ("kind", "name", "value", "says"),
    [
        ("number_input", "n_kv_heads", 3, "cannot share 3 key-value heads"),
        ("number_input", "init_std", 0.0, "must be above 0 and at most 10, not 0"),
    ],
)
def test_unusual_choices_are_checked_too(open_page, shown, kind, name, value, says):
    app = open_page("build")
    widget(app, kind, name).set_value(value).run()
    assert says in app.error[0].value.replace("\\", "")


def test_another_architecture_takes_what_still_fits(open_page, shown):
    app = open_page("build", preset="lstm-tiny")
    widget(app, "toggle", "bidirectional").set_value(True).run()
    widget(app, "number_input", "chrono_max_span").set_value(32).run()
    assert ModelSpec.from_dict(app.session_state["draft.model"]).objectives() == ("mlm",)
    widget(app, "selectbox", "architecture").set_value("decoder").run()
    assert not app.error and app.session_state["draft.model"]["architecture"] == "decoder"
    assert app.session_state["draft.preset"] == "modern-tiny"


def test_a_link_opens_what_its_sender_saw(open_page, shown):
    app = open_page("build", preset="gpt2-tiny", n_layers="6", position="alibi", bias="False", n_kv_heads="2")
    model = app.session_state["draft.model"]
    assert (model["n_layers"], model["position"], model["bias"], model["n_kv_heads"]) == (
        6,
        "alibi",
        False,
        2,
    )
    assert not app.error


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"preset": "nonsense"}, "There is no preset 'nonsense'."),
        ({"d_model": "many"}, "d_model must be a whole number"),
        ({"position": "<b>"}, "is not a choice for position"),
        ({"d_model": "127"}, "do not divide into 4 heads"),
        ({"n_layers": "-3"}, "cannot have -3 layers"),
    ],
)
def test_a_link_with_nonsense_still_opens(open_page, shown, query, says):
    app = open_page("build", **query)
    assert says in " ".join(error.value for error in app.error).replace("\\", "")
    assert shown


def test_the_vocabulary_is_the_tokenizers(open_page, shown):
    app = open_page("build", preset="modern-tiny")
    widget(app, "number_input", "vocab_size").set_value(4096).run()
    assert app.session_state["draft.data"]["tokenizer"]["vocab_size"] == 4096
    assert app.session_state["draft.model"]["vocab_size"] == 0
    assert facts(shown)["Parameters"] == "1.84 M"


def test_too_large_a_model_is_warned_of(open_page, shown, monkeypatch):
    monkeypatch.setattr("playground.ui.model_costs.free_memory", lambda: 30_000_000)
    app = open_page("build")
    assert "30.0 MB are free on this machine" in app.warning[0].value


def test_the_costs_stand_under_the_picture(open_page, shown):
    app = open_page("build")
    assert any("Parameters" in each.value for each in app.markdown)


def test_in_chinese(open_page, shown):
    app = open_page("build", lang="zh")
    assert app.title[0].value == "搭建模型"
    assert "注意力" in shown[-1][0].main.svg()
