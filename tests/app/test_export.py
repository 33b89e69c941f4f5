"""The Export page without a browser: what it says before, while and after."""

import pytest

from playground import gallery
from playground.onnx_export.export import export
from playground.ui import server_start


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    server_start.torch_loaded.set()


def texts(app) -> str:
    kinds = ("title", "subheader", "markdown", "caption", "error", "info", "success")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


def test_before_it_says_what_will_happen(open_page):
    assert "Not exported yet" in texts(open_page("export", run="induction"))


@pytest.fixture(scope="module")
def all_exports(tmp_path_factory):
    """A home in which everything is exported."""
    home = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PLAYGROUND_HOME", str(home))
        for name in ("bible-decoder", "bible-lstm", "bible-encoder", "dates"):
            export(gallery.get(name), precisions=("fp32", "int8"))
    return home


@pytest.mark.parametrize("run", ["bible-decoder", "bible-lstm", "bible-encoder", "dates"])
@pytest.mark.parametrize("view", ["proof", "race", "sizes", "graph"])
def test_every_view_of_every_export_opens(open_page, all_exports, monkeypatch, run, view):
    monkeypatch.setenv("PLAYGROUND_HOME", str(all_exports))
    app = open_page("export", run=run, view=view)
    assert not app.error
    assert "Agrees with PyTorch" in texts(app)


def test_the_proof_names_its_shapes(open_page):
    made = export(gallery.get("induction"))
    app = open_page("export", run="induction")
    table = app.dataframe[0].value
    assert list(table.iloc[:, 0]) == [check["what"] for check in made.report["checks"]]
    assert "The first 64 greedy tokens are the same." in texts(app)


def test_who_can_load_it_is_said(open_page):
    export(gallery.get("bible-decoder"))
    export(gallery.get("bible-lstm"))
    assert "LlamaForCausalLM" in texts(open_page("export", run="bible-decoder"))
    assert "Not an architecture of transformers" in texts(open_page("export", run="bible-lstm"))


def test_shrinking_is_shown_with_its_cost(open_page, all_exports, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(all_exports))
    table = open_page("export", run="bible-decoder", view="sizes").dataframe[0].value
    assert list(table["Weights"]) == ["fp32", "int8"] and list(table["Size"]) != []
    app = open_page("export", run="dates", view="sizes")
    assert any("Prepare" in button.label for button in app.button), "the pairs are not there before somebody asks"
    app.session_state["export.sizes.dates"] = True  # as the button does, in a rerun of its part that AppTest has not
    table = app.run(timeout=60).dataframe[0].value
    assert "Perplexity" not in table.columns, "a run of pairs has no running text to measure on"
    assert float(table["Exact answers"][0].rstrip("%")) > 95 and table["Same top-1 as fp32"][0] == "100.0%"


def test_a_damaged_export_is_said(open_page):
    made = export(gallery.get("induction"))
    (made.folder / "model.onnx").write_bytes(b"nonsense")
    app = open_page("export", run="induction", view="graph")
    assert "no ONNX model, or it is damaged" in texts(app)


def test_the_graph_lists_inputs_and_operators(open_page):
    export(gallery.get("induction"))
    app = open_page("export", run="induction", view="graph")
    names = list(app.dataframe[0].value.iloc[:, 0])
    assert "input_ids" in names and "past_key_values.1.value" in names and "logits" in names
    assert "Softmax" in list(app.dataframe[1].value.iloc[:, 0])


@pytest.mark.parametrize("name", ["induction", "dates", "bible-encoder"])
def test_in_chinese(open_page, all_exports, monkeypatch, name):
    if name != "induction":
        monkeypatch.setenv("PLAYGROUND_HOME", str(all_exports))
    else:
        export(gallery.get(name))
    app = open_page("export", run=name, lang="zh")
    assert "与 PyTorch 一致" in texts(app)
    assert all("批量" in said and "batch" not in said for said in app.dataframe[0].value.iloc[:, 0])
