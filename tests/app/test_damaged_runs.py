"""A store of damaged runs: every page opens, the table says what is wrong with each, and each can be deleted."""

import json
import re
import shutil

import pytest

from playground.cli.main import main
from playground.runs.folder import RunFolder
from playground.runs.integrity import problem, problem_in_contents
from playground.runs.store import RunStore
from playground.ui import language
from tests.support.damaged_runs import BROKEN, GOOD, PARTLY, SPOILT, make_damaged

PAGES = ("home", "build", "data", "train", "finetune", "runs", "generate", "explore", "export")
OF_A_RUN = ("home", "train", "finetune", "generate", "explore", "export")
UNUSABLE = [*BROKEN, *SPOILT]


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """By what is in them: runs that cannot be used; these and a whole, older one; these and some that open in part."""
    made = {}
    for what in ("bad", "good", "all"):
        made[what] = tmp_path_factory.mktemp(what)
        make_damaged(made[what], good=what != "bad")
        for id in PARTLY if what != "all" else ():
            shutil.rmtree(made[what] / "runs" / id)
    return made


@pytest.fixture
def at(homes, monkeypatch):
    """``at("good")``: that home is the person's; tests leave it as it was."""

    def settle(what: str):
        monkeypatch.setenv("PLAYGROUND_HOME", str(homes[what]))
        return RunStore()

    return settle


def said(app) -> str:
    return "\n".join(each.value.replace("\\", "") for each in app.error)


def tables(app) -> tuple:
    """The tables of runs that open (own ones, and those that ship), and last of those that do not."""
    return tuple(each.value for each in app.dataframe)


def test_there_are_enough_of_them():
    assert len(UNUSABLE) >= 50 and len(PARTLY) >= 20


# Every page


@pytest.mark.parametrize("what", ["bad", "all"])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens(open_page, at, page, what):
    at(what)
    app = open_page(page)
    assert not app.error, said(app)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_in_chinese(open_page, at, page):
    at("all")
    app = open_page(page, lang="zh")
    assert not app.error, said(app)


@pytest.mark.parametrize("page", ["generate", "explore", "export"])
def test_pages_choose_the_newest_run_that_opens(open_page, at, page):
    """All the others are newer."""
    at("good")
    assert open_page(page).session_state["run.last"] == GOOD


def test_a_parent_to_fine_tune_is_none_of_them(open_page, at):
    at("bad")
    app = open_page("finetune")
    assert app.selectbox(key="finetune.parent").value == "bible-encoder"


@pytest.mark.parametrize("page", OF_A_RUN)
def test_a_link_to_a_damaged_run_says_what_is_wrong(open_page, at, page):
    store, turn = at("good"), OF_A_RUN.index(page)
    for id in [*BROKEN][turn :: len(OF_A_RUN)]:
        message = problem(RunFolder(store.root / id))[0]
        assert message in said(open_page(page, run=id)), id


@pytest.mark.parametrize("page", ["generate", "explore"])
def test_a_link_to_a_run_spoilt_inside_says_what_is_wrong(open_page, at, page):
    store, turn = at("good"), ("generate", "explore").index(page)
    for id in [*SPOILT][turn::2]:
        message = problem_in_contents(RunFolder(store.root / id))[0]
        assert message in said(open_page(page, run=id)), id


@pytest.mark.parametrize("page", ["train", "finetune"])
def test_a_link_to_a_damaged_parent_says_what_is_wrong(open_page, at, page):
    store = at("good")
    for id in ("run-zeros", "width-endless", "format-of-tomorrow", "weights-cut-off", "tokenizer-missing"):
        message = problem(RunFolder(store.root / id))[0]
        assert message in said(open_page(page, parent=id)), id


def test_a_link_that_compares_with_damaged_runs_passes_over_them(open_page, at):
    at("all")
    app = open_page("train", run=GOOD, **{"with": ",".join([*UNUSABLE, *PARTLY])})
    assert any("A good one" in each.value for each in app.title)


# Those that open in part


@pytest.mark.parametrize("page", OF_A_RUN[1:])
def test_what_is_damaged_in_part_opens_without_it(open_page, at, page):
    at("all")
    more = ["metrics-a-folder", "samples-a-folder"] if page in ("train", "generate") else []
    for id in [*PARTLY][OF_A_RUN.index(page) % 3 :: 3] + more:
        app = open_page(page, run=id)
        assert not app.error or id in ("weights-renamed", "report-wrong-types", "report-zeros"), (id, said(app))


def test_what_is_damaged_in_part_is_compared(open_page, at):
    store = at("all")
    app = open_page("runs", runs=",".join(PARTLY))
    assert not app.error, said(app)
    assert len(store.list()) == len(PARTLY) + len(SPOILT) + 1


@pytest.mark.parametrize("id", ["status-zeros", "status-a-list", "status-unknown", "status-a-folder"])
def test_a_run_whose_status_a_power_cut_took_goes_on_from_its_checkpoint(at, id):
    status = at("all").get(id).status()
    assert (status.state, status.step) == ("interrupted", 3000)


def test_weights_of_another_shape_are_told_in_a_sentence(open_page, at):
    at("all")
    told = said(open_page("generate", run="weights-renamed"))
    assert "cannot be used: they are another model's." in told and "state_dict" not in told


# The table


def test_the_table_says_what_is_wrong_with_each(open_page, at):
    store = at("good")
    for run in store.list():
        problem_in_contents(run)  # the page takes some tenths of a second for this, and goes on at the next look
    *sound, damaged = tables(open_page("runs"))
    names = {name for table in sound for name in table["name"]}
    assert "A good one" in names and not set(UNUSABLE) & names
    rows = dict(zip(damaged["name"], damaged["problem"], strict=True))
    assert set(rows) == set(UNUSABLE)
    for id, sentence in rows.items():
        assert sentence == problem_in_contents(RunFolder(store.root / id))[0] and re.fullmatch(r"\S.{15,}", sentence), (
            id
        )


def test_what_is_wrong_and_what_to_do_have_their_chinese(at, monkeypatch):
    store = at("good")
    monkeypatch.setattr(language, "language", lambda: "zh")
    for id in UNUSABLE:
        for sentence in problem_in_contents(RunFolder(store.root / id)):
            told = language.translated(sentence)
            if id in ("tokenizer-empty", "tokenizer-no-ids"):
                told = told.partition("：")[0]  # then, the library's own words
            assert re.search("[一-鿿]", told) and not re.search(r"[A-Za-z]+ [a-z]+ [a-z]+ [a-z]+", told), (id, told)


def test_all_are_told_what_to_do(at):
    store = at("good")
    for id in UNUSABLE:
        hint = problem_in_contents(RunFolder(store.root / id))[1]
        assert hint.endswith("Delete the run: it goes into the trash.") or id == "format-of-tomorrow", (id, hint)


def test_without_any_other_run_they_are_listed(open_page, at, monkeypatch):
    at("bad")
    monkeypatch.setattr("playground.ui.run_picker.shipped.runs", lambda language: [])
    app = open_page("runs")
    assert len(app.dataframe[-1].value) == len(UNUSABLE) and not app.error


def test_one_that_is_picked_says_it_all_and_offers_to_delete_it(open_page, at):
    store = at("good")
    for id in ("run-zeros", "weights-zeros-inside"):
        app = open_page("runs", runs=id)
        assert said(app) == "\n\n".join(problem_in_contents(RunFolder(store.root / id)))
        assert app.button(key="runs.delete").label == "Delete"


# Away with them


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    make_damaged(tmp_path, good=True)
    return RunStore()


def test_each_is_deleted_and_brought_back_and_deleted_for_good(open_page, own):
    before = sorted(path.name for path in own.root.iterdir())
    app = open_page("runs", runs=",".join([*UNUSABLE, *PARTLY]))
    app.button(key="runs.delete").click().run()
    assert [path.name for path in own.root.iterdir()] == [GOOD]
    assert {each.id for each in own.trash()} == {*UNUSABLE, *PARTLY}
    app.button(key="runs.undo.button").click().run()
    assert sorted(path.name for path in own.root.iterdir()) == before and not own.trash()
    app = open_page("runs", runs=",".join([*UNUSABLE, *PARTLY]))
    app.button(key="runs.delete").click().run()
    app.button(key="runs.empty").click().run()
    assert not app.exception and not own.trash() and not list(own.trash_root.iterdir())


def test_the_command_line_lists_them_and_deletes_each(own, capsys):
    main(["runs", "list"])
    listed = capsys.readouterr().out
    for id in BROKEN:
        assert re.search(rf"^{id} +damaged .*{re.escape(problem(RunFolder(own.root / id))[0])}$", listed, re.M), id
    for id in [*UNUSABLE, *PARTLY]:
        main(["runs", "delete", id])
    assert [run.id for run in own.list()] == [GOOD] and not own.damaged()
    main(["runs", "undelete", "run-zeros"])
    assert [each.run.id for each in own.damaged()] == ["run-zeros"]


def test_the_command_line_says_what_is_wrong_where_one_is_used(own, capsys):
    for command in (["generate", "run-zeros", "--prompt", "a"], ["runs", "rename", "layers-a-billion", "x"]):
        assert main(command) == 2
    told = capsys.readouterr().err
    assert "run.json of run-zeros is damaged" in told and "more than 1,000 layers" in told


def test_one_mended_by_hand_is_listed_at_once(own):
    run = own.root / "no-name"
    assert problem(RunFolder(run))
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**about, "name": "mended"}))
    assert problem(RunFolder(run)) is None and own.get("no-name").name == "mended"
