"""The Explore page without a browser: every view of every kind of model opens, and says what it cannot show."""

import itertools
import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from models.presets import PRESETS
from playground import gallery
from playground.training import worker
from playground.ui import measuring, server_start
from tests.support.views import LEARNED


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    server_start.torch_loaded.set()
    monkeypatch.setattr(measuring, "PATIENCE", 60)  # what is measured is there at the first run


def texts(app) -> str:
    kinds = ("title", "subheader", "markdown", "caption", "error", "info")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


RUNS = ("bible-decoder", "bible-encoder", "bible-lstm", "dates", "dates-lstm", "induction")
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
        ("bible-lstm", "recurrent", ("gates", "states", "unit", "find", "memory", "gradient")),
        ("bible-decoder", "positions", ("sinusoidal", "learned", "rotary", "alibi", "all", "shuffle", "beyond")),
        ("bible-encoder", "positions", ("shuffle",)),
    ],
)
def test_every_aspect_opens(open_page, run, view, looks):
    for look in looks:
        app = open_page("explore", run=run, view=view, look=look)
        assert not app.error, look


def test_a_view_that_does_not_fit_says_what_to_do(open_page):
    assert "It forgets most" in texts(open_page("explore", run="bible-lstm", view="attention")), "its own view instead"
    assert "This model has no gates" in texts(open_page("explore", run="bible-decoder", view="recurrent"))
    app = open_page("explore", run="bible-decoder", view="positions", look="learned")
    assert app.selectbox(key="explore.positions.table").value == LEARNED, "it has none, and shows another's"


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
    assert "3 of 6 keys are masked" in texts(app) and "= 0.477" in shown  # e^1.12 / (e^0.289 + e^0.704 + e^1.12)
    app.toggle(key="explore.steps.scaling").set_value(False).run()
    assert "Not scaled" in texts(app)


def test_without_its_induction_head_the_copier_is_lost(open_page):
    app = open_page("explore", run="induction", view="intervene", off="1.3")
    assert "Without 1.3" in texts(app) and "The most important is layer 1, head 3" in texts(app)
    loss = app.metric[0]
    assert float(loss.value) > 3 and float(loss.delta) > 3
    app = open_page("explore", run="induction", view="intervene")
    assert "The model needs layer 1, head 3 most" in texts(app) and not app.metric


def test_a_gate_can_be_held(open_page):
    app = open_page("explore", run="bible-lstm", view="intervene")
    assert not app.metric
    assert "The most important is in layer" in texts(app)
    app.toggle(key="explore.intervene.on").set_value(True).run()
    assert not app.exception and float(app.metric[0].delta) > 0.5
    app = open_page("explore", run="bible-lstm", view="intervene", how="patch", on="1")
    assert not app.exception and "input gate of layer 0 as on the other text" in texts(app)


def test_learned_positions_before_and_after(open_page, new_run):
    spec = PRESETS["gpt2-tiny"].spec.replace(d_model=32, n_layers=1, n_heads=2, context_length=32)
    folder = new_run(spec.to_dict(), {"objective": "clm"}, {"corpus": "python-docs"})
    assert worker.run(folder) == "finished"
    app = open_page("explore", run=folder.id, view="positions", look="learned")
    assert not app.error and "Similarity of positions" in texts(app)
    app = open_page("explore", run=folder.id, view="attention", text="word " * 200)
    assert "first 32 tokens" in texts(app) and "has no learned positions beyond them" in texts(app)


@pytest.mark.parametrize(
    "address",
    [
        {
            "run": "induction",
            "view": "attention",
            "layer": "0",
            "head": "3",
            "step": "500",
            "with": "step",
            "then": "300",
        },
        {
            "run": "bible-decoder",
            "view": "attention",
            "with": "text",
            "texts": "2",
            "other1": "In days",
            "other2": "Thou",
        },
        {"run": "bible-decoder", "view": "attention", "with": "run", "beside": LEARNED, "more": "3"},
        {"run": "dates", "view": "attention", "part": "encoder", "way": "max", "draw": "lines"},
        {"view": "steps", "numbers": "A 1 0 0,b 0 1 0,c 0 0 1,d 1 1 0,e 0 1 1,f 1 0 1", "query": "4", "scaling": "0"},
        {
            "run": "dates",
            "view": "steps",
            "example": "0",
            "part": "encoder",
            "layer": "2",
            "head": "1",
            "query": "3",
            "key": "0",
        },
        {
            "run": "bible-decoder",
            "view": "positions",
            "look": "sinusoidal",
            "n": "32",
            "d": "16",
            "cell": "9.3",
            "channels": "1",
        },
        {"run": "bible-decoder", "view": "positions", "m": "20"},
        {"run": "bible-decoder", "view": "positions", "look": "learned", "when": "before"},
        {"run": "bible-decoder", "view": "positions", "look": "shuffle", "seed": "4"},
        {
            "run": "bible-lstm",
            "view": "recurrent",
            "layer": "0",
            "signal": "gates.forget",
            "order": "spread",
            "unit": "17",
        },
        {"run": "bible-lstm", "view": "recurrent", "look": "find", "span": "2-6", "units": "3,9"},
        {"run": "bible-decoder", "view": "predictions", "place": "7"},
        {"run": "bible-decoder", "view": "predictions", "look": "lens", "colour": "entropy", "place": "7"},
        {"run": "bible-decoder", "view": "predictions", "look": "map", "way": "tsne", "n": "100"},
        {"run": "bible-decoder", "view": "predictions", "look": "weights", "kind": "layers.*.attention.output.weight"},
        {"run": "induction", "view": "intervene", "off": "0.3,1.3", "mlps": "1", "how": "mean"},
        {"run": "induction", "view": "intervene", "how": "patch", "places": "1.4", "other": "67taG5jb3K"},
        {"run": "dates", "view": "intervene", "part": "encoder", "off": "2.1"},
        {
            "run": "bible-lstm",
            "view": "intervene",
            "layer": "1",
            "gate": "gates.forget",
            "level": "50",
            "units": "4",
            "on": "1",
        },
    ],
    ids=lambda address: "-".join([address["view"], *list(address)[-2:]]),
)
def test_a_link_opens_what_its_sender_saw(open_page, address):
    """The page keeps every choice of its address: it has read it, else it would take it out."""
    app = open_page("explore", **address)
    assert not app.error and not app.exception
    kept = {name: said[0] if isinstance(said, list) else said for name, said in app.query_params.items()}
    assert {name: kept.get(name) for name in address} == address


@pytest.mark.parametrize(("run", "most"), [("dates-lstm", 18), ("recall-lstm", 5)])
def test_a_model_that_cannot_end_does_not_fill_the_box(run, most):
    from playground.ui import cached
    from playground.ui.scene import Scene, answer_to

    folder, question = (
        gallery.get(run),
        {"dates-lstm": "18 October 2007 =", "recall-lstm": ">HDBCHBDCEEHGBHDEAAAHD?"}[run],
    )
    answer = answer_to(str(folder.path), 0, question)
    assert 0 < len(cached.tokenizer(folder).encode(answer)) <= most
    assert not Scene(folder, 0, question, answer).beyond()


def test_one_text_is_looked_at_while_the_model_learns(open_page):
    early, late = (texts(open_page("explore", run="induction", view="attention", step=step)) for step in ("0", "1500"))
    assert re.search(r"step 0, (\d+) tokens", early)[1] == re.search(r"step 1,500, (\d+) tokens", late)[1]


@pytest.mark.parametrize("address", [{"at": "500"}, {"at": "500", "step": "300"}, {"step": "500", "at": "7"}])
def test_old_links_open_the_step_whose_heads_they_showed(open_page, address):
    app = open_page("explore", run="induction", view="attention", **address)
    assert "step 500," in texts(app) and "at" not in app.query_params and app.query_params["step"] == "500"


def test_nonsense_in_the_address_is_no_error(open_page):
    for view in VIEWS:
        app = open_page(
            "explore",
            run="dates" if view == "attention" else "bible-lstm",
            view=view,
            look="x",
            layer="99",
            head="-1",
            off="a.b,7",
            unit="²",
            span="9-2",
            place="x",
            units="x",
            level="7",
            texts="99",
            **{"with": "text"},
        )
        assert not app.error and not app.exception, view


def test_the_examples_numbers_come_with_the_link(open_page):
    said = "The 0.1 0.2 0.3,cat 0.4 0.5 0.6,sat 2 0 0,on 0.2 0.3 0.4,the 0.1 0.2 0.3,mat 0.5 0.6 0.7"
    app = open_page("explore", view="steps", numbers=said)
    assert r"2.00 \cdot 2.00 + 0.00 \cdot 0.00 + 0.00 \cdot 0.00 = 4.000" in " ".join(e.value for e in app.latex)


def test_several_texts_side_by_side(open_page):
    app = open_page(
        "explore", run="bible-decoder", view="attention", **{"with": "text", "texts": "3", "other2": "Moses went"}
    )
    own = app.session_state["explore.given.text.bible-decoder"]
    shown = [each.value for each in app.markdown if each.value in ("Moses went", own[:47] + "…")]
    assert len(shown) == 4 and shown[2] == "Moses went"
    assert "Beside it" in texts(app), "the share of each head that does the same on another text"


@pytest.mark.parametrize(
    ("run", "text", "drawing"),
    [("bible-decoder", "And God said", "lines"), ("bible-decoder", "And God said " * 15, "cells")],
)
def test_a_sentence_is_drawn_as_lines_and_a_text_as_cells(open_page, run, text, drawing):
    app = open_page("explore", run=run, view="attention", text=text)
    control = lambda: app.segmented_control(key="explore.attention.draw")
    assert control().value == drawing and "draw" not in app.query_params
    other = {"lines": "cells", "cells": "lines"}[drawing]
    control().set_value(other).run()
    assert control().value == other and app.query_params["draw"] == other
    app = open_page("explore", run=run, view="attention", text=text, draw=other)
    assert control().value == other, "a link that names it keeps it"


def test_words_are_joined_until_pieces_are_asked_for(open_page):
    app = open_page("explore", run="bible-decoder", view="attention", text="And God said, Take thou")
    assert "Words are joined from their pieces" in texts(app)
    app.toggle(key="explore.attention.pieces").set_value(True).run()
    assert app.query_params["pieces"] == "1"
    pieces = open_page("explore", run="bible-decoder", view="attention", text="And God said, Take thou", pieces="1")
    assert "Words are joined from their pieces" not in texts(pieces)
    assert not any(
        each.key == "explore.attention.pieces" for each in open_page("explore", run="dates", view="attention").toggle
    ), "its tokens are single signs"


def test_the_notice_is_of_this_head(open_page):
    said = texts(open_page("explore", run="induction", view="attention", layer="1", head="3")).replace("\\", "")
    assert re.search(r"Head 1\.3 partly looks at what followed an earlier copy .* \(0\.[3-9]\d of", said)
    assert "where it writes “" in texts(open_page("explore", run="dates", view="attention"))
    assert re.search(
        r"the attention is spread; the largest share goes to “",
        texts(open_page("explore", run="bible-decoder", view="attention", way="mean")),
    )


def test_a_text_typed_on_another_page_is_looked_into(open_page):
    app = open_page("explore", run="bible-decoder", view="attention")
    app.session_state["stage.text"] = "In the beginning God"
    app.run()
    assert app.session_state["explore.given.text.bible-decoder"] == "In the beginning God"
    assert app.query_params["text"] == "In the beginning God"
    pairs = open_page("explore", run="dates", view="attention")
    pairs.session_state["stage.text"] = "In the beginning God"
    pairs.run()
    assert "beginning" not in pairs.session_state["explore.given.text.dates"], "no date"


def test_another_text_is_patched_in(open_page):
    """Two symbols exchanged: the induction head carries the difference."""
    app = open_page("explore", run="induction", view="intervene", how="patch", off="1.3")
    assert "largest effect has layer 1, head 3" in texts(app)
    assert "With 1.3 from the other text" in texts(app) and float(app.metric[0].delta) > 1
    app = open_page("explore", run="induction", view="intervene", how="patch", other="abc")
    assert "The other text has" in texts(app), "too short: said, not thrown"


@pytest.mark.parametrize("run", ["bible-decoder", "bible-encoder", "dates"])
def test_a_place_is_patched(open_page, run):
    app = open_page("explore", run=run, view="intervene", how="patch", places="1.3")
    assert not app.error and not app.exception
    assert "With position 3 after layer 0 from the other text" in texts(app)


def test_an_empty_text_is_no_error(open_page):
    for run in ("bible-decoder", "bible-lstm"):
        for view in ("attention", "predictions", "intervene", "recurrent"):
            app = open_page("explore", run=run, view=view, text=" ")
            assert not app.exception


def test_a_text_of_one_token_is_told_as_one(open_page):
    captions = lambda text: [each.value for each in open_page("explore", run="bible-decoder", text=text).caption]
    assert any(each.endswith(" 1 token.") for each in captions(",")) and not any(
        "1 tokens" in each for each in captions(",")
    )


def test_without_a_text_it_says_what_the_model_is_shown():
    def noted(text: str) -> None:
        from playground.pages.explore.page import notes
        from playground.runs import gallery
        from playground.ui.scene import Scene
        from playground.ui.stage import stage

        run = gallery.get("bible-decoder")
        notes(Scene(run, run.checkpoints()[-1], text, ""), stage())

    said = lambda text: [
        each.value for each in AppTest.from_function(noted, args=(text,), default_timeout=60).run().markdown
    ]
    assert said("") == [r"There is no text yet\: the model reads “\<eos\>” alone. Type some words."]
    assert said("And God said") == []


def test_in_chinese(open_page):
    app = open_page("explore", run="bible-decoder", view="attention", lang="zh")
    assert "探索" in texts(app) and "第 3 层" in texts(app)


@pytest.mark.parametrize(("run", "view"), [("stories-decoder", "attention"), ("bible-lstm", "recurrent")])
def test_chinese_sentences_follow_each_other_without_a_space(open_page, run, view):
    assert not re.search("[。？！] ", texts(open_page("explore", run=run, view=view, lang="zh")))


def test_a_unit_leads_to_the_texts_where_it_is_high(open_page):
    app = open_page("explore", run="bible-lstm", view="recurrent", unit="17", layer="0", signal="cell")
    assert app.selectbox[0].value == "states", "a link from before there was another look"
    app.button(key="explore.recurrent.seek").click().run()
    assert not app.exception
    chosen = next(box for box in app.multiselect if ".units" in box.key)
    assert chosen.value == [17] and ".layers.0.cell." in chosen.key
    start, end = app.slider[0].value
    assert end - start == 1


def test_the_persons_own_models_side_by_side(open_page, new_run):
    """The gradient by distance of an RNN and a GRU of other tokens, in one chart."""
    runs = [
        new_run({"architecture": kind, "context_length": 48}, {"objective": "clm"}, {"corpus": "python-docs"})
        for kind in ("rnn", "gru")
    ]
    assert [worker.run(run) for run in runs] == ["finished", "finished"]
    app = open_page("explore", run=runs[0].id, view="recurrent", look="gradient", beside=runs[1].id)
    assert not app.error and app.multiselect[0].value == [runs[1].id]
    chart = app.get("plotly_chart")[0].proto.spec
    for name in ("a small run (RNN)", "a small run (GRU)", "RNN, untrained", "LSTM, untrained", "GRU, untrained"):
        assert f'"name":"{name}"' in chart, name


@pytest.mark.parametrize("parent", ["bible-decoder", "bible-lstm"])
def test_a_run_that_gives_labels_shows_what_it_has(open_page, tmp_path, parent):
    """Its attention and states; of next tokens it says none, and the page does not pretend."""
    from playground.finetune.plan import plan
    from playground.runs.finetuning import FineTuneSpec, LabelledSpec
    from playground.runs.store import RunStore

    rows = "".join(
        f"this is number {i} and it is {('fine', 'poor')[i % 2]},{('good', 'bad')[i % 2]}\n" for i in range(60)
    )
    (tmp_path / "rows.csv").write_text("text,label\n" + rows)
    tuned = FineTuneSpec(task="classify", labelled=LabelledSpec("file", path=str(tmp_path / "rows.csv")))
    run = RunStore().create(plan(gallery.get(parent), tuned, steps=4, batch_size=8, eval_every=4, sample_every=4))
    assert worker.run(run) == "finished", run.status().message
    looks = {"recurrent": ("", "memory", "gradient", "find"), "positions": ("", "shuffle", "beyond")}
    for view in VIEWS:
        for look in looks.get(view, ("",)):
            app = open_page("explore", run=run.id, view=view, text="And God said", look=look)
            assert not app.error and not app.exception, (view, look)
        if view in ("predictions", "intervene"):
            assert "This run gives labels, not tokens" in texts(app)
    app = open_page("explore", run=run.id, view="recurrent" if "lstm" in parent else "attention", text="And God said")
    assert "It forgets most" in texts(app) if "lstm" in parent else "Layer" in texts(app)


def test_captions_speak_of_what_this_model_has(open_page):
    decoder, encoder = (
        texts(open_page("explore", run=run, view="attention", draw="cells"))
        for run in ("bible-decoder", "bible-encoder")
    )
    assert "induction" in decoder and "Hatched: the causal mask" in decoder
    assert (
        "induction" not in encoder and "Hatched: the causal mask" not in encoder and "previous or next token" in encoder
    )
    assert "named by the token written there" in texts(
        open_page("explore", run="dates", view="attention", draw="cells")
    )
    lines = texts(open_page("explore", run="bible-decoder", view="attention", draw="lines"))
    assert "filled first column" not in lines and "lines one step up" in lines


def test_a_short_text_says_why_no_head_has_a_name(open_page):
    short = texts(open_page("explore", run="bible-decoder", view="attention", text="The cat sat on the mat"))
    assert "Heads have no names here: the text is too short" in short
    assert "A head gets a name where" in texts(open_page("explore", run="bible-decoder", view="attention"))


@pytest.mark.parametrize("run", ["stories-decoder", "stories-encoder"])
def test_a_short_text_does_not_deny_names_that_heads_have_from_stories(open_page, run):
    said = texts(open_page("explore", run=run, view="attention"))
    assert "Heads have no names here" not in said and "was measured on" in said


def test_a_caption_says_mostly_from_one_half_on(open_page):
    found = set()
    for layer, head in itertools.product("01", "0123"):
        said = texts(
            open_page("explore", run="bible-decoder", view="attention", layer=layer, head=head, text="In the beginning")
        )
        for word, share in re.findall(
            r"(mostly|partly) looks .*?\((0\.\d\d) of its attention\)", said.replace("\\", "")
        ):
            found.add(word)
            assert (word == "mostly") == (float(share) >= 0.5), said
    assert found == {"mostly", "partly"}


def test_a_text_that_is_too_easy_to_miss_a_head_names_none(open_page):
    easy = texts(open_page("explore", run="dates", view="intervene"))
    assert "this text is too easy or too short to need any one part" in easy and "The most important is" not in easy
    assert "The most important is layer" in texts(open_page("explore", run="bible-decoder", view="intervene"))


def test_no_axis_counts_in_millionths(open_page):
    """Plotly writes 0.00015 as "150µ" unless it is told otherwise."""
    for query in ({"view": "intervene"}, {"view": "predictions", "look": "weights"}, {"view": "positions", "m": "9"}):
        app = open_page("explore", run="bible-decoder", **query)
        charts = [json.loads(chart.proto.spec)["layout"] for chart in app.get("plotly_chart")]
        axes = [axis for chart in charts for name, axis in chart.items() if name.startswith(("xaxis", "yaxis"))]
        assert axes and all(axis.get("exponentformat") in ("none", "power") for axis in axes), query


def test_what_stands_there_has_a_bar(open_page):
    """Also where the model thought so many others likelier that it is none of the five."""
    app = open_page("explore", run="bible-decoder", view="predictions", text="In the beginning xyz", place="7")
    bars = json.loads(app.get("plotly_chart")[0].proto.spec)["data"][0]
    assert len(bars["y"]) == 6 and bars["y"][0].split(".")[0].replace(",", "").isdecimal()
    assert "rank" in texts(app)


def test_the_lens_of_an_encoder_opens_where_a_token_is_hidden(open_page):
    from playground.pages.explore.scene_task import asked_of
    from playground.runs.store import RunStore
    from playground.ui.scene import Scene

    text, run = "In the beginning God created the heavens and the earth.", RunStore().get("bible-encoder")
    said = texts(open_page("explore", run=run.id, view="predictions", look="lens", text=text))
    place = int(said.partition("The most likely tokens instead of")[2].partition("(position ")[2].partition(")")[0])
    assert place in asked_of(Scene(run, run.checkpoints()[-1], text), whole=True).target_positions


def test_a_link_that_names_a_view_and_no_model_opens_the_first_that_has_it(open_page, new_run):
    """The newest of the person's own comes first; a recurrent one has no queries and keys to go through."""
    spec = PRESETS["lstm-tiny"].spec.replace(d_model=8, n_layers=1)
    folder = new_run(spec.to_dict(), {"objective": "clm"}, {"corpus": "python-docs"})
    assert worker.run(folder) == "finished"
    assert opened(open_page("explore")) == folder.id
    app = open_page("explore", view="steps")
    assert "steps" in app.query_params["view"] and opened(app) != folder.id
    chosen = open_page("explore", view="steps", run=folder.id)
    assert opened(chosen) == folder.id and "steps" not in chosen.query_params["view"], "somebody has said which"


def opened(app) -> str:
    """The run that the address names."""
    run = app.query_params["run"]
    return run[0] if isinstance(run, list) else run


def test_the_table_that_stands_in_is_the_longest_and_of_a_model_that_has_one(open_page, new_run):
    spec = PRESETS["gpt2-tiny"].spec.replace(d_model=16, n_layers=1, n_heads=2, context_length=4)
    short = new_run(spec.to_dict(), {"objective": "clm"}, {"corpus": "python-docs"})
    assert worker.run(short) == "finished"
    app = open_page("explore", run="bible-decoder", view="positions", look="learned")
    table = app.selectbox(key="explore.positions.table")
    assert "a small run" in table.options and table.value == LEARNED, "the newest comes first, but shows little"
    assert "A translator of dates, LSTM with attention" not in table.options
