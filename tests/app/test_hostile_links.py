"""Links from strangers: whatever a parameter says, the page opens, and says in a sentence what it does not take."""

import shutil

import pytest
from streamlit.testing.v1 import AppTest

from playground.ui.url_state import PAGES, PARAMETERS
from tests.app.conftest import show
from tests.support.made_runs import make_run

VALUES = {
    "400 digits": "9" * 400,
    "negative": "-1",
    "nan": "nan",
    "inf": "inf",
    "small": "1e-320",
    "huge": "1e308",
    "empty": "",
    "10 kB": "x" * 10_000,
    "10 kB of digits": "1" * 10_000,
    "superscript": "²",
    "other digits": "٣",
    "a list": "0,0,1,²,,x",
    "pairs": "0.0,0.0,1.²,9.9",
    "a span": "2-1",
    "a zero": "a\0b",
    "marks": "`]([x](javascript:0)$x$ {0} :red[x]",
    "yes": "1",
}
NAMES = {
    page: [name for row in PARAMETERS if page in (row.pages or PAGES) for name in (row.name, *row.old_names)]
    for page in PAGES
}
"""All parameters of each page, those of earlier versions too."""
LET_IN = {
    "data": [{"corpus": "python-docs"}, {"corpus": "task-recall"}, {"corpus": "file"}],
    "train": [{"preset": "gpt2-tiny"}, {"preset": "gru-tiny"}, {"like": "own"}, {"parent": "own@{}"}, {"run": "own"}],
    "runs": [{"runs": "own"}],
    "generate": [{"run": "bible-decoder"}, {"run": "bible-encoder"}],
    "finetune": [{"task": "classify"}, {"task": "answer"}, {"data": "file"}],
    "explore": [
        {"run": run, "view": view}
        for run in ("bible-decoder", "dates", "bible-lstm")
        for view in ("attention", "positions", "predictions", "intervene", "recurrent", "steps")
    ],
}
"""What stands in the address beside the hostile values, so that they come to where they are read."""

ALONE = ("400 digits", "10 kB", "superscript", "a zero")
"""Values that are given without anything beside them too."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with one run, for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("home")
        patch.setenv("PLAYGROUND_HOME", str(place))
        patch.setattr("playground.runs.submit.keep_warm", lambda: None)
        make_run(place, "own")
        yield place


def opened(page: str, query: dict[str, str]) -> AppTest:
    app = AppTest.from_function(show, default_timeout=60, args=(page,))
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def broken(app: AppTest) -> list[str]:
    """What no page may say, whatever it was asked."""
    said = [error.value for error in app.error]
    return [str(each) for each in app.exception] + [
        one for one in said if "Something went wrong" in one or len(one) > 6000
    ]


def test_the_table_has_every_page():
    assert all(NAMES[page] for page in PAGES)
    assert {"run", "parent", "d_model", "lr", "keep", "corpus", "final_lr"} <= set(NAMES["train"])


PAIRS = [
    (page, value) for i, page in enumerate(NAMES) for j, value in enumerate(VALUES) if value in ALONE or (i + j) % 2
]


@pytest.mark.parametrize(("page", "value"), PAIRS)
def test_no_value_breaks_a_page(home, page, value):
    """Each is given to all parameters at once, beside one of those that lead to where they are read."""
    names = NAMES[page]
    ways = LET_IN.get(page, [{}])
    way = ways[list(VALUES).index(value) % len(ways)]
    for known in [{}, way] if value in ALONE and way else [way]:
        known = {name: said.format(VALUES[value]) for name, said in known.items()}
        app = opened(page, {name: VALUES[value] for name in names} | known)
        assert not broken(app), (known, broken(app))


# Lists


def beside() -> None:
    """What the Train page finds to draw beside a run, and its box."""
    import streamlit as st

    from playground.pages.train.watch import choose_compared, compared
    from playground.runs.store import RunStore

    run = RunStore().get("own")
    st.session_state["found"] = [other.name for other in compared(run)]
    choose_compared(run)


def of(script, **query: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not broken(app)
    return app


@pytest.fixture
def ten(home):
    """Ten more runs in the home, gone afterwards."""
    made = [make_run(home, f"other {n}", n, steps=40) for n in range(10)]
    yield made
    for run in made:
        shutil.rmtree(run.path)


def test_a_run_that_a_link_names_3000_times_is_drawn_once(home, ten):
    app = of(beside, **{"with": ",".join([ten[0].id, ten[0].id[:-1], "own"] * 1000)})
    assert app.session_state["found"] == ["other 0"] and not app.caption


def test_no_more_runs_are_drawn_than_can_be_told_apart_and_the_page_says_so(home, ten):
    app = of(beside, **{"with": ",".join(run.id for run in ten)})
    assert app.session_state["found"] == [f"other {n}" for n in range(8)]
    assert any("names 10 runs; the first 8" in caption.value for caption in app.caption)


def compared_in_the_table() -> None:
    import streamlit as st

    from playground.pages.runs import compare
    from playground.runs.store import RunStore
    from playground.ui.stage import stage

    compare.curves = lambda key, shown, *args, **more: st.session_state.update(shown=[one.name for one in shown])
    compare.compare(RunStore().list(), stage())


def test_the_table_compares_as_many_as_can_be_told_apart(home, ten, monkeypatch):
    from playground.pages.runs import compare

    monkeypatch.setattr(compare, "curves", compare.curves)
    app = of(compared_in_the_table)
    assert len(app.session_state["shown"]) == 8
    assert any("first 8 of the 11 runs" in said.value for said in app.markdown)


def picked() -> None:
    import streamlit as st

    from playground.pages.runs import table

    def shown(frame, selection_default, **more):
        rows = selection_default["selection"]["rows"]
        st.session_state["rows"] = [*st.session_state["rows"], *rows]
        return type("Event", (), {"selection": type("Rows", (), {"rows": rows})()})()

    st.session_state["rows"] = []  # of all tables: own runs, and those that ship

    table.st.dataframe, before = shown, table.st.dataframe
    try:
        st.session_state["runs"] = [run.name for run in table.pick_runs()]
    finally:
        table.st.dataframe = before


def test_a_row_that_a_link_names_often_is_picked_once(home, ten):
    app = of(picked, runs=",".join([ten[3].id, "no-such"] * 1000))
    assert app.session_state["runs"] == ["other 3"] and len(app.session_state["rows"]) == 1
    assert app.query_params["runs"] in (ten[3].id, [ten[3].id])


def one_of_two_steps() -> None:
    import streamlit as st

    from playground.ui.run_picker import choose_step

    run = type("Run", (), {"id": "x", "checkpoints": lambda self: [5, 10]})()
    st.session_state["step"] = choose_step("generate", run)


@pytest.mark.parametrize(("said", "step"), [*((value, 10) for value in VALUES.values()), ("5", 5), ("10", 10)])
def test_a_checkpoint_is_one_that_there_is(said, step):
    assert of(one_of_two_steps, step=said).session_state["step"] == step


def test_what_is_hidden_is_what_there_is(open_page, home):
    app = open_page("build", hide=",".join(["build.n_layers", "data", *(f"x{n}" for n in range(3000))]))
    assert app.query_params["hide"] in ("build.n_layers,data", ["build.n_layers,data"])
