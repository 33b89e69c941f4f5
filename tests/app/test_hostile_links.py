"""Links from strangers: whatever a parameter says, the page opens, and says in a sentence what it does not take."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import playground
from models.spec import ModelSpec
from playground.ui.plan_links import FIELDS
from tests.app.conftest import show
from tests.browser.made_runs import make_run

VALUES = {
    "400 digits": "9" * 400, "negative": "-1", "nan": "nan", "inf": "inf", "small": "1e-320", "huge": "1e308", "empty": "",
    "10 kB": "x" * 10_000, "10 kB of digits": "1" * 10_000, "superscript": "²", "other digits": "٣", "a list": "0,0,1,²,,x",
    "pairs": "0.0,0.0,1.²,9.9", "a span": "2-1", "a zero": "a\0b", "marks": "`]([x](javascript:0)$x$ {0} :red[x]", "yes": "1",
}  # fmt: skip
OF_EXPLORE = (
    "prompt other head layer place seed unit units cell off places near m n d channels causal on scaling untrained colour draw "
    "example gate how kind look order part way when with signal query numbers span texts table beside more min"
)
NAMES = {
    "home": "run text", "build": " ".join(["preset", *ModelSpec.__dataclass_fields__]),
    "data": "corpus file encoding column source target tokenizer vocabulary limit options view",
    "train": " ".join(["run parent like preset corpus with keep view", *FIELDS, *ModelSpec.__dataclass_fields__]),
    "runs": "runs view", "generate": "run step prompt end stop seed t k p m r",
    "finetune": "run parent task data file encoding method view cell text", "export": "run step view",
    "explore": f"run step text view {OF_EXPLORE}",
}  # fmt: skip
EVERYWHERE = "lang present hide"
LET_IN = {
    "data": [{"corpus": "python-docs"}, {"corpus": "task-recall"}, {"corpus": "file"}],
    "train": [{"preset": "gpt2-tiny"}, {"preset": "gru-tiny"}, {"like": "own"}, {"parent": "own@{}"}, {"run": "own"}],
    "runs": [{"runs": "own"}], "generate": [{"run": "bible-decoder"}, {"run": "bible-encoder"}],
    "finetune": [{"task": "classify"}, {"task": "answer"}, {"data": "file"}],
    "explore": [
        {"run": run, "view": view}
        for run in ("bible-decoder", "dates", "bible-lstm")
        for view in ("attention", "positions", "predictions", "intervene", "recurrent", "steps")
    ],
}  # fmt: skip
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
    return [str(each) for each in app.exception] + [one for one in said if "Something went wrong" in one or len(one) > 6000]


def test_every_parameter_that_a_page_reads_is_tried():
    """Those that are read by their own name; a new one belongs into the lists above."""
    source = "".join(path.read_text() for path in Path(playground.__file__).parent.rglob("*.py"))
    read = set(re.findall(r'links\.param\("(\w+)"', source))
    assert read and read <= set(" ".join([*NAMES.values(), EVERYWHERE]).split())


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("page", NAMES)
def test_no_value_breaks_a_page(home, page, value):
    """Each is given to all parameters at once, beside one of those that lead to where they are read."""
    names = f"{NAMES[page]} {EVERYWHERE}".split()
    ways = LET_IN.get(page, [{}])
    way = ways[list(VALUES).index(value) % len(ways)]
    for known in [{}, way] if value in ALONE and way else [way]:
        known = {name: said.format(VALUES[value]) for name, said in known.items()}
        app = opened(page, {name: VALUES[value] for name in names} | known)
        assert not broken(app), (known, broken(app))
