"""The Explore page without a browser: every view of every kind of model opens, and says what it cannot show."""

import pytest

from models.presets import PRESETS
from playground.training import worker
from playground.ui import start


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    start.torch_loaded.set()


def texts(app) -> str:
    kinds = ("title", "subheader", "markdown", "caption", "error", "info")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


RUNS = ("bible-decoder", "bible-encoder", "bible-lstm", "dates", "induction")
VIEWS = ("attention", "steps", "positions", "recurrent", "predictions", "intervene")


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_every_model_opens(open_page, run, view):
    app = open_page("explore", run=run, view=view)
    assert not app.error
    assert "Explore" in texts(app)


@pytest.mark.parametrize(
    ("run", "view", "looks"),
    [
        ("bible-decoder", "predictions", ("lens", "map", "weights")),
        ("bible-encoder", "predictions", ("lens", "weights")),
        ("bible-lstm", "predictions", ("lens", "weights")),
        ("bible-lstm", "recurrent", ("find", "memory", "gradient")),
        ("bible-decoder", "positions", ("sinusoidal", "learned", "rotary", "alibi", "all", "shuffle", "beyond")),
        ("bible-encoder", "positions", ("shuffle",)),
    ],
)
def test_every_aspect_opens(open_page, run, view, looks):
    for look in looks:
        app = open_page("explore", run=run, view=view, look=look)
        assert not app.error, look


def test_a_view_that_does_not_fit_says_what_to_do(open_page):
    assert "A recurrent model has no attention" in texts(open_page("explore", run="bible-lstm", view="attention"))
    assert "This model has no gates" in texts(open_page("explore", run="bible-decoder", view="recurrent"))
    app = open_page("explore", run="bible-decoder", view="positions", look="learned")
    assert app.selectbox(key="explore.positions.table").value == "learned-positions", "it has none, and shows another's"


@pytest.mark.parametrize("drawing", ["cells", "lines"])
@pytest.mark.parametrize("way", ["mean", "max", "rollout"])
def test_other_ways_to_see_attention(open_page, way, drawing):
    app = open_page("explore", run="dates", view="attention", way=way, draw=drawing, part="encoder")
    assert not app.error
    told = {"mean": "mean of its heads", "max": "largest of its heads", "rollout": "Rollout"}[way]
    assert told in texts(app)


def test_the_model_writes_on_and_is_looked_at(open_page):
    app = open_page("explore", run="bible-decoder", view="attention", text="And God")
    assert "2 tokens" in texts(app)
    app.number_input(key="explore.attention.more").set_value(5).run()
    assert not app.exception and "7 tokens" not in texts(app).split("Explore")[0]


def test_a_real_head_step_by_step(open_page):
    app = open_page("explore", run="induction", view="steps", example="0", layer="1", head="3")
    assert "Layer 1, head 3 of A copier that grew an induction head" in texts(app)
    equations = " ".join(element.value for element in app.latex)
    assert r"\sqrt{16}" in equations, "16 channels a head"


def test_the_worked_example_follows_its_switches(open_page):
    app = open_page("explore", view="steps")
    assert r"\frac{e^{1.120}}{11.613} = 0.264" in " ".join(element.value for element in app.latex)
    app.toggle(key="explore.steps.causal").set_value(True).run()
    shown = " ".join(element.value for element in app.latex)
    assert "3 of 6 keys are hidden" in texts(app) and "= 0.477" in shown  # e^1.12 / (e^0.289 + e^0.704 + e^1.12)
    app.toggle(key="explore.steps.scaling").set_value(False).run()
    assert "Not divided" in texts(app)


def test_without_its_induction_head_the_copier_is_lost(open_page):
    app = open_page("explore", run="induction", view="intervene", off="1.3")
    assert "Without 1.3" in texts(app) and "The most needed is layer 1, head 3" in texts(app)
    loss = app.metric[0]
    assert float(loss.value) > 3 and float(loss.delta) > 3


def test_a_gate_can_be_held(open_page):
    app = open_page("explore", run="bible-lstm", view="intervene")
    assert "Nothing is changed yet" in texts(app)
    app.toggle(key="explore.intervene.on").set_value(True).run()
    assert not app.exception and float(app.metric[0].delta) > 0.5


def test_learned_positions_before_and_after(open_page, new_run):
    spec = PRESETS["gpt2-tiny"].spec.replace(d_model=32, n_layers=1, n_heads=2, context_length=32)
    folder = new_run(spec.to_dict(), {"objective": "clm"}, {"corpus": "python-docs"})
    assert worker.run(folder) == "finished"
    app = open_page("explore", run=folder.id, view="positions", look="learned")
    assert not app.error and "How alike positions are" in texts(app)
    app = open_page("explore", run=folder.id, view="attention", text="word " * 200)
    assert "first 32 tokens" in texts(app) and "learned positions end there" in texts(app)


def test_an_empty_text_is_no_error(open_page):
    for run in ("bible-decoder", "bible-lstm"):
        for view in ("attention", "predictions", "intervene", "recurrent"):
            app = open_page("explore", run=run, view=view, text=" ")
            assert not app.exception


def test_in_chinese(open_page):
    app = open_page("explore", run="bible-decoder", view="attention", lang="zh")
    assert "探索" in texts(app) and "第 3 层" in texts(app)
