"""The Runs page without a browser."""

from playground.runs.store import RunStore
from tests.support.made_runs import make_run


def emptied() -> RunStore:
    store = RunStore()
    for run in [*store.list(), *(each.run for each in store.damaged())]:
        store.delete(run.id)
    store.empty_trash()
    return store


def test_the_table_lists_every_run(open_page):
    store = emptied()
    runs = [make_run(store.root.parent, f"run {n}", seed=n) for n in range(3)]
    runs[1].update_status(tokens_per_second=9178.63)
    app = open_page("runs")
    assert not app.error
    table = app.dataframe[0].value
    assert set(table["name"]) >= {run.name for run in runs}
    assert table.set_index("name").loc["run 0", "val_loss"] == 2.2
    assert table.set_index("name").loc["run 1", "speed"] == 9179, "tenths of a token say nothing"


def test_one_run_alone_is_compared_with_nothing(open_page):
    store = emptied()
    runs = [make_run(store.root.parent, f"run {n}", seed=n).id for n in range(2)]
    compares = lambda app: any("not the same amount of work" in each.value for each in app.caption)
    assert not compares(open_page("runs", runs=runs[0]))
    assert compares(open_page("runs", runs=",".join(runs)))


def test_search_narrows_it(open_page):
    store = emptied()
    make_run(store.root.parent, "needle", seed=1)
    make_run(store.root.parent, "hay", seed=2)
    app = open_page("runs")
    app.text_input(key="runs.search").set_value("needle lstm").run()
    assert list(app.dataframe[0].value["name"]) == ["needle"]
    app.text_input(key="runs.search").set_value("nowhere").run()
    assert not app.dataframe and any("No run matches" in each.value for each in app.caption)


def test_a_deleted_run_comes_back(open_page):
    store = emptied()
    run = make_run(store.root.parent, "come back", seed=1)
    app = open_page("runs", runs=run.id)
    app.button(key="runs.delete").click().run()
    assert not run.exists
    app.button(key="runs.undo.button").click().run()
    assert run.exists and not app.error


def test_a_run_being_trained_is_not_deleted(open_page, new_run):
    emptied()
    run = new_run()
    run.update_status(state="running", step=1, steps=12)
    app = open_page("runs", runs=run.id)
    app.button(key="runs.delete").click().run()
    assert run.exists and "Stop it first" in app.error[0].value
    run.update_status(state="stopped")


def test_without_runs_it_says_what_to_do(open_page, monkeypatch):
    emptied()
    monkeypatch.setattr("playground.pages.runs.page.known_runs", lambda gallery=True: [])
    app = open_page("runs")
    assert any("No runs yet" in each.value for each in app.subheader)


def test_models_write_side_by_side(open_page, new_run):
    from playground.training.worker import run as train

    emptied()
    one, other = new_run(), new_run(model={"architecture": "gru"})
    for run in (one, other):
        assert train(run) == "finished"
    app = open_page("runs", runs=f"{one.id},{other.id}", view="prompt")
    app.text_input(key="runs.prompt.text").set_value("The ")
    next(button for button in app.button if button.label == "Write").click().run()
    for job in app.session_state["runs.jobs"].values():
        job.wait(30)
    app.run()
    written = [each.value for each in app.text]
    assert len(written) == 2 and all(text.startswith("The ") and len(text) > 10 for text in written)
