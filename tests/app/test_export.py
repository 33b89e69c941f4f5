"""The Export page without a browser: what it says before, while and after."""

import re
import subprocess
import sys
import time

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
    app = open_page("export", run="induction", view="proof")
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
    while "export.sizes.dates" in app.session_state and not app.session_state["export.sizes.dates"].done:
        time.sleep(0.1)  # the pairs prepare themselves
    table = app.run(timeout=60).dataframe[0].value
    assert "Perplexity" not in table.columns, "a run of pairs has no running text to measure on"
    assert float(table["Exact answers"][0].rstrip("%")) > 95 and table["Same top-1 as fp32"][0] == "100.0%"


def test_the_smallest_that_is_nearly_as_good_is_named(open_page, all_exports, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(all_exports))
    app = open_page("export", run="bible-decoder")
    assert "int8 takes" in texts(app) and "of the space of fp32" in texts(app)
    assert any(button.label.startswith("Download everything") for button in app.get("download_button"))


@pytest.mark.parametrize("kind", ["text", "labels"])
def test_no_axis_goes_beyond_all_and_no_noise_looks_like_a_difference(kind):
    from playground.pages.export.size_charts import span_of

    low, high = (
        span_of({"fp32": 1.0, "int8": 0.999}, True) if kind == "labels" else span_of({"a": 9.0, "b": 9.01}, False)
    )
    assert high <= 1.01 if kind == "labels" else high / low > 1.06
    assert low < 0.985 if kind == "labels" else low < 9 < high


def test_estimates_are_near_what_is_written(open_page, all_exports, monkeypatch):
    from playground.inference.exports import exported
    from playground.pages.export.estimated_sizes import estimated

    monkeypatch.setenv("PLAYGROUND_HOME", str(all_exports))
    for name in ("bible-decoder", "bible-encoder", "dates", "bible-lstm"):
        run = gallery.get(name)
        made = exported(run).report["sizes"]
        reckoned = estimated(str(run.path), run.checkpoints()[-1])
        assert reckoned["fp32"] == pytest.approx(made["fp32"], rel=0.1), name
        assert reckoned["int8"] == pytest.approx(made["int8"], rel=0.25), name


@pytest.mark.parametrize("name", ["bible-decoder", "bible-encoder", "dates"])
def test_the_lines_of_python_on_the_page_run(open_page, all_exports, monkeypatch, name):
    from playground.inference.exports import exported

    monkeypatch.setenv("PLAYGROUND_HOME", str(all_exports))
    shown = [code.value for code in open_page("export", run=name).code]
    python = next(code for code in shown if "from example import" in code)
    folder = exported(gallery.get(name)).folder
    done = subprocess.run([sys.executable, "-c", python], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr[-500:]
    page = next(code for code in shown if "<iframe" in code)
    demo = (folder / "demo.html").read_text()
    asked = set(re.findall(r"demo\.(\w+)", page)) - {"html"}
    offered = re.search(r"window\.demo = \{(.*?)\};", demo)[1]
    assert asked and all(re.search(rf"\b{each}\b", offered) for each in asked), asked


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
    app = open_page("export", run=name, lang="zh", view="proof")
    assert "与 PyTorch 一致" in texts(app)
    assert all("批量" in said and "batch" not in said for said in app.dataframe[0].value.iloc[:, 0])
