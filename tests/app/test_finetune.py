"""The Fine-tune page without a browser: the form makes the runs it says, what came of them is told truly."""

import io
import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from playground.core.errors import PlaygroundError
from playground.finetune import sandboxed_import
from playground.finetune.labeller import labeller_of
from playground.finetune.plan import plan
from playground.runs import gallery
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.text import uploads
from playground.training.worker import run as train
from playground.ui.labelled_text import data_of


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> RunFolder:
    """A gallery encoder that learnt to tell two kinds of sentences apart, in a home of its own."""
    home = tmp_path_factory.mktemp("finetune")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYGROUND_HOME", str(home))
        table = home / "kinds.csv"
        rows = [f"{w} number {i},{k}" for i in range(60) for w, k in (("the king", "royal"), ("a sheep", "farm"))]
        table.write_text("\n".join(["text,kind", *rows]))
        labelled = LabelledSpec("file", path=str(table), text_column="text", label_column="kind")
        spec = FineTuneSpec("classify", labelled)
        config = plan(gallery.get("bible-encoder"), spec, steps=30, eval_every=15, sample_every=15)
        folder = RunStore().create(config)
        assert train(folder) == "finished"
    return folder


@pytest.fixture
def at_home(tuned, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tuned.path.parents[1]))
    return tuned


def planned() -> None:
    import streamlit as st

    from playground.pages.finetune.form import form
    from playground.ui.stage import stage

    st.session_state["plans"] = form(stage())


def plans(app: AppTest) -> list:
    app.run()
    assert not app.exception, app.exception
    return app.session_state["plans"]


def fill(**query: str) -> AppTest:
    app = AppTest.from_function(planned, default_timeout=90)
    for name, value in query.items():
        app.query_params[name] = value
    return app


def test_nothing_said_is_the_encoder_with_a_twin_from_scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    main, twin = plans(fill())
    assert main.parent["run"] == "bible-encoder" and main.finetune.labelled.dataset == "bible-unread"
    assert not main.finetune.from_scratch and twin.finetune.from_scratch
    assert (main.training.steps, main.training.batch_size) == (twin.training.steps, twin.training.batch_size)


@pytest.mark.parametrize(
    ("parent", "task"),
    [
        ("bible-decoder", "language"),
        ("dates", "answer"),
        ("bible-lstm", "classify"),
        ("bible-decoder", "answer"),
        ("bible-encoder", "tag"),
    ],
)
def test_links_open_every_task(parent, task, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    main = plans(fill(parent=parent, task=task))[0]
    assert (main.parent["run"], main.finetune.task) == (parent, task)
    assert (main.finetune.labelled is None) == (task in ("language", "answer"))


@pytest.mark.parametrize("task", ["classify", "language"])
def test_a_file_of_ones_own_is_learnt_from_in_the_chosen_encoding(task, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    rows = "".join(f"Старый рыбак сидел у реки {i},{'да' if i % 2 else 'нет'}\n" for i in range(80))
    path = str(uploads.keep(io.BytesIO(("text,label\n" + rows).encode("koi8-r")), "fish.csv").path)
    app = fill(task=task, data="file", **({"parent": "bible-decoder"} if task == "language" else {}))
    encoding = lambda plan: plan.finetune.labelled.encoding if task == "classify" else plan.data.encoding
    assert encoding(plans(app)[0]) is None and "Старый рыбак" in app.code[0].value
    app.selectbox(key=f"finetune.encoding.{path}").set_value("cp1251")
    assert encoding(plans(app)[0]) == "cp1251" and "Старый" not in app.code[0].value
    link = {name: app.query_params[name] for name in ("file", "encoding", "data", "task", "parent")}
    assert link["file"] in (Path(path).parent.name, [Path(path).parent.name]) and link["encoding"] in (
        "cp1251",
        ["cp1251"],
    )
    uploads.keep(io.BytesIO(b"text,label\nnewer,a\nfile,b\n"), "other.csv")
    again = fill(**link)
    assert encoding(plans(again)[0]) == "cp1251" and again.selectbox(key=f"finetune.encoding.{path}").value == "cp1251"
    again.selectbox(key=f"finetune.encoding.{path}").set_value("found")
    assert encoding(plans(again)[0]) is None and "encoding" not in again.query_params


def test_words_with_tags_in_a_plain_text_are_learnt_from(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    lines = "".join(f"Anna{i} B-PER\nruns O\n\n" for i in range(80))
    path = str(uploads.keep(io.BytesIO(lines.encode()), "names.txt").path)
    uploads.write("A text of one's own, which has no labels at all. " * 3)
    app = fill(task="tag", data="file")
    main = plans(app)[0]
    assert app.selectbox(key="finetune.table.file").options == ["names.txt · 1.67 kB"]
    assert (main.finetune.labelled.path, main.finetune.labelled.label_column) == (path, "tags") and not app.error
    said = [each.value.replace("\\", "") for each in app.markdown]  # as it is read
    assert any("2 labels: looks like tagging" in each and "(50%)" in each for each in said)
    assert any("read as sentences" in each.value for each in app.info)


def test_lora_tells_how_many_parameters_it_trains(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    app = fill(method="lora")
    main = plans(app)[0]
    assert main.finetune.method == "lora" and main.finetune.rank == 8
    trained = next(m for m in app.metric if m.label == "Trained parameters")
    assert 0 < int(trained.value.replace(",", "")) < 0.1 * 942_466


def test_results_are_those_of_the_report(open_page, at_home):
    app = open_page("finetune", run=at_home.id)
    report = json.loads((at_home.path / "results" / "report.json").read_text())
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Accuracy on the test"] == f"{report['test']['accuracy']:.1%}"
    assert shown["Trained parameters"] == f"{report['trained_parameters']:,}"
    assert report["test"]["accuracy"] > 0.9, "the two kinds differ in every word"


@pytest.mark.parametrize("view", ["results", "pretraining", "gained", "try", "file"])
def test_every_view_opens_by_its_link(open_page, at_home, view):
    app = open_page("finetune", run=at_home.id, view=view)
    assert not app.error, [error.value for error in app.error]
    assert app.session_state["finetune.view"] == {"gained": "pretraining"}.get(view, view)  # an old name opens too


def test_attention_moved_is_told_with_the_head_that_moved_most(open_page, at_home):
    from playground.finetune.attention_shift import attention_shift, examples
    from playground.training.load_model import body_of, load_model

    app = open_page("finetune", run=at_home.id, view="gained")
    config = at_home.config()
    texts = examples(config, at_home.about()["data_folder"], 24)
    before = body_of(load_model(RunStore().get(config.parent["run"]), config.parent["step"]))
    moved = attention_shift(before, body_of(load_model(at_home)), texts)["self"]
    layer, head = divmod(int(moved.mean(0).argmax()), moved.shape[2])
    chosen = next(box for box in app.selectbox if "on the text" in box.label)
    assert chosen.label == f"Layer {layer}, head {head}, on the text"
    assert chosen.options[0].startswith(f"{moved[:, layer, head].max():.0%}")


def test_completing_the_picture_plans_what_is_missing(open_page, at_home, monkeypatch):
    submitted = []
    monkeypatch.setattr("playground.pages.finetune.pretraining_gain.submit", submitted.append)
    app = open_page("finetune", run=at_home.id, view="gained")
    next(button for button in app.button if "Complete the comparison" in button.label).click().run()
    assert not app.exception
    shares = sorted((r.config().finetune.from_scratch, r.config().finetune.labelled.train_fraction) for r in submitted)
    assert shares == [(False, 0.1), (False, 0.3), (True, 0.1), (True, 0.3), (True, 1.0)]
    for run in submitted:
        RunStore().delete(run.id)


def test_a_run_that_gives_labels_leaves_the_train_page_for_its_own(open_page, at_home):
    from playground.ui.run_picker import gives_labels, talks, writes

    assert gives_labels(at_home) and not talks(at_home) and not writes(at_home)


def test_a_run_that_was_not_tuned_says_so(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    app = open_page("finetune", run="bible-decoder")
    assert any("not fine-tuned" in info.value for info in app.info)


def test_a_run_that_is_gone_is_told(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    app = open_page("finetune", run="gone-abcdef")
    assert any("There is no run" in error.value for error in app.error)


def test_a_word_tells_what_moved_its_label(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    spec = FineTuneSpec("tag", LabelledSpec("bible-punctuation", limit=200))
    config = plan(gallery.get("bible-encoder"), spec, steps=4, eval_every=4, eval_batches=1, sample_every=4)
    run = RunStore().create(config)
    assert train(run) == "finished"
    app = open_page("finetune", run=run.id, view="try", text="and god said unto them")
    assert any("click it to see its attributions" in text.value for text in app.markdown)
    app.session_state["finetune.word"] = 1
    app.run()
    assert not app.exception and not app.error
    assert any("Attribution to" in text.value for text in app.markdown)


def test_an_export_with_labels_that_came_back_is_tried_at_once(at_home, open_page, tmp_path):
    from playground.huggingface.import_run import import_folder
    from playground.onnx_export.export import export

    back = import_folder(export(at_home, to=tmp_path / "made").folder, name="came back")
    app = open_page("finetune", run=back.id)
    assert not app.error, [error.value for error in app.error]
    with pytest.raises(PlaygroundError, match="is not on this machine"):
        data_of(back)
    assert set(labeller_of(back).labels) == {"royal", "farm"}


def test_what_differs_from_the_model_that_was_brought_stands_below_it(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    store = RunStore()
    run = sandboxed_import.import_sandboxed(
        store.export_zip("bible-encoder", tmp_path / "run.zip", export=False), store
    )
    kept = json.loads((run.path / "run.json").read_text())
    note = "It came without the head that fills in words. A new one is there, which knows nothing before it is trained."
    (run.path / "run.json").write_text(json.dumps(kept | {"notes": [note]}))
    shown = lambda app: any(note in info.value for info in app.info)
    assert shown(open_page("finetune", parent=run.id)) and not shown(open_page("finetune", parent="bible-decoder"))


@pytest.fixture
def with_report(at_home):
    """Writes another report for a moment; what stood there comes back."""
    path = at_home.path / "results" / "report.json"
    before = path.read_text()
    yield lambda change: path.write_text(
        change if isinstance(change, str) else json.dumps({**json.loads(before), **change})
    )
    path.write_text(before)


@pytest.mark.parametrize("change", ["", "[1]", '{"test": 3}', {"test": {"n": "x"}}, {"by_label": 5}, {"used": None}])
def test_a_damaged_report_is_told_and_the_model_can_still_be_tried(open_page, at_home, with_report, change):
    with_report(change)
    app = open_page("finetune", run=at_home.id)
    assert any("report.json" in error.value and "damaged" in error.value for error in app.error)
    assert app.session_state["finetune.view.early"] == "try"


@pytest.mark.parametrize("change", [{"confusion": [[1]]}, {"confusion": [[1] * 3] * 3}])
def test_a_report_of_other_labels_is_told(open_page, at_home, with_report, change):
    with_report(change)
    app = open_page("finetune", run=at_home.id, view="results")
    assert any("damaged" in error.value for error in app.error)
