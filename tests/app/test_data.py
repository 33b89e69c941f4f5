"""The Data page: texts are chosen, brought, cut and compared; what cannot be read is said in a sentence."""

import io
import time
import zipfile

import pytest

from playground.text import uploads
from playground.text.prepare import prepare
from playground.text.spec import DataSpec, TokenizerSpec

CHINESE = "话说天下大势，分久必合，合久必分。\n" * 400
PROSE = "".join(f"Line {n} tells of rivers, mills and {n % 7} children.\n" for n in range(800))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def docs():
    """The first corpus, prepared and small."""
    return prepare(DataSpec("python-docs", tokenizer=TokenizerSpec("bpe", 512), max_bytes=100_000))


@pytest.fixture
def open_docs(open_page, docs):
    def open_it(**query):
        return settled(open_page("data", corpus="python-docs", vocabulary="512", **query), limit="100 kB")

    return open_it


def settled(app, limit: str | None = None, seconds: float = 60):
    """Waits for the preparation, as a browser would."""
    if limit:
        app.selectbox(key="data.limit").set_value(limit).run()
    end = time.monotonic() + seconds
    while not app.metric and not app.error:
        assert time.monotonic() < end
        time.sleep(0.1)
        app.run()
    assert not app.exception, app.exception
    return app


def bring(app, name: str, data: bytes):
    app.file_uploader[0].set_value((name, data, "application/octet-stream"))
    app.run()
    return app


def numbers(app) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def said(app) -> str:
    return " ".join(error.value for error in app.error).replace("\\", "")


def test_a_corpus_shows_its_size(open_docs, docs):
    shown = numbers(open_docs())
    assert shown["Text"] == "100 kB" and shown["Vocabulary"] == "512"
    assert shown["Bytes per token"] == f"{docs.info['bytes'] / docs.info['tokens']:.2f}"


@pytest.mark.parametrize("view", ["sample", "numbers", "vocabulary", "compare"])
def test_every_view_opens(open_docs, view):
    app = open_docs(view=view)
    assert not app.error and not app.exception
    assert {"numbers": 2, "vocabulary": 1}.get(view, 0) == len(app.get("plotly_chart")) + len(app.dataframe)


def test_tokenizers_side_by_side(open_docs):
    app = open_docs(view="compare")
    app.text_input(key="data.try").set_value("the statement").run()
    app.multiselect(key="data.ways").set_value(["char", "byte"]).run()
    counted = [text.value for text in app.markdown if "tokens here" in text.value]
    assert len(counted) == 3
    assert counted[1].startswith("**13** tokens here") and counted[2].startswith("**13** tokens here")


def test_the_vocabulary_can_be_searched(open_docs):
    app = open_docs(view="vocabulary")
    app.text_input(key="data.find").set_value("stat").run()
    found = app.dataframe[0].value["token"]
    assert len(found) and found.str.contains("stat").all()


def test_a_single_token_and_letters_that_are_not_learnt_are_told_as_that(open_page, docs):
    app = settled(open_page("data", corpus="python-docs", tokenizer="char", view="vocabulary"), limit="100 kB")
    assert not any("0 never come" in each.value for each in app.markdown)
    app.text_input(key="data.find").set_value("Q").run()
    assert any(each.value.replace("\\", "").startswith("1 token shown. The first 260 are") for each in app.markdown)


def test_the_choice_is_handed_to_training(open_docs):
    app = open_docs()
    spec = DataSpec.from_dict(app.session_state["draft.data"])
    assert (spec.corpus, spec.tokenizer.vocab_size, spec.max_bytes) == ("python-docs", 512, 100_000)


def test_a_dataset_without_a_name_asks_for_one(open_page):
    app = open_page("data")
    app.selectbox(key="data.corpus").set_value("hub").run()
    assert any("Type the name of a dataset" in each.value for each in app.markdown), [
        each.value for each in app.markdown
    ]


def test_texts_of_an_archive_ask_for_no_column_and_no_encoding(open_page):
    """The table that the app made of them is its own affair."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("one.txt", "The ferry waits for the last bus. " * 200)
        archive.writestr("two.txt", "The last bus waits for the ferry. " * 200)
    app = settled(bring(open_page("data", corpus="file"), "harbour.zip", file.getvalue()))
    assert not app.error and numbers(app)["Documents"] == "2"
    assert {"Encoding", "Column with the text"}.isdisjoint(each.label for each in app.selectbox)
    assert app.selectbox(key="data.file").options[0].startswith("harbour.zip · ")


def test_a_task_has_its_options(open_page):
    app = settled(open_page("data", corpus="task-addition"))
    digits = app.slider(key="data.option.task-addition.digits")
    digits.set_value(1).run()
    assert app.session_state["draft.data"]["options"]["digits"] == 1
    assert app.session_state["draft.data"]["tokenizer"]["kind"] == "char"


@pytest.mark.parametrize(("encoding", "text"), [("utf-8", PROSE), ("utf-16", PROSE), ("gbk", CHINESE)])
def test_a_file_is_read_in_its_encoding(open_page, encoding, text):
    app = settled(bring(open_page("data", corpus="file"), "mine.txt", text.encode(encoding)))
    assert not app.error
    assert numbers(app)["Text"].split()[0] == f"{len(text.encode()) / 1000:.1f}"
    assert uploads.uploads()[0].name == "mine.txt"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.txt", b"", "empty.txt is empty."),
        ("photo.txt", b"\x89PNG\r\n\x1a\n" + bytes(500), "photo.txt is not text: it is a PNG image."),
        ("film.mp4", b"....", "files ending in .mp4 are not read"),
        ("short.txt", b"a", "The text is too short"),
        ("broken.csv", b'text\n"never closed\n', "breaks off in the row"),
    ],
)
def test_what_cannot_be_read_is_said(open_page, name, data, says):
    app = bring(open_page("data", corpus="file"), name, data)
    if not app.error:
        settled(app)
    assert says in said(app)


def test_an_unsafe_archive_is_refused(open_page, home):
    import io
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../evil.txt", "words")
    app = bring(open_page("data", corpus="file"), "trap.zip", file.getvalue())
    assert "leads out of its folder" in said(app)
    assert not list(home.rglob("evil*"))


def test_a_column_is_chosen_and_a_missing_one_told(open_page):
    lines = PROSE.replace(",", "").splitlines()
    table = "title,words\n" + "".join(f"t{n},{line}\n" for n, line in enumerate(lines))
    app = bring(open_page("data", corpus="file"), "stories.csv", table.encode())
    assert "Which column of stories.csv holds the text?" in said(app)
    app.selectbox(key="data.column").set_value("words").run()
    assert not settled(app).error
    assert app.query_params["column"] == "words"
    bring(app, "other.csv", b"name,lines\n" + b"".join(b"n%d,some words %d\n" % (n, n) for n in range(50)))
    assert "other.csv has no column 'words'." in said(app) and "It has name, lines." in said(app)
    app.selectbox(key="data.column").set_value("lines").run()
    assert not settled(app).error


def test_what_was_left_out_of_a_table_is_told(open_page):
    table = "".join(f"{n},sum {n}+{n},{2 * n if n % 3 else ''},\n" for n in range(300))
    app = bring(open_page("data", corpus="file"), "sums.csv", ("id,question,answer\n" + table).encode())
    app.selectbox(key="data.column").set_value("pair").run()
    assert numbers(settled(app))["Pairs"] == "200"
    assert app.session_state["draft.data"]["source_column"] == "question"  # and not the numbers of the rows
    notes = " ".join(info.value for info in app.info).replace("\\", "")
    assert "Pairs left out, since the question or the answer is empty: 100 (first: row 1)." in notes
    assert "Rows of sums.csv with empty cells after the last column, left out: 300 (first: line 2)." in notes


def test_two_columns_are_pairs(open_page):
    table = "".join(f"{n}+{n}\t{2 * n}\n" for n in range(300))
    app = bring(open_page("data", corpus="file"), "sums.tsv", ("question\tanswer\n" + table).encode())
    app.selectbox(key="data.column").set_value("pair").run()
    assert numbers(settled(app))["Pairs"] == "300"
    assert app.session_state["draft.data"]["target_column"] == "answer"


@pytest.mark.parametrize(
    "query",
    [
        {"corpus": "nonsense"},
        {"corpus": "file", "file": "../../etc"},
        {"tokenizer": "x", "corpus": "python-docs"},
    ],
)
def test_a_link_with_nonsense_still_opens(open_page, query):
    app = open_page("data", **query)
    assert not app.exception and app.selectbox


TURKISH = "Yaşlı adam güneş doğmadan önce bahçedeki ağaçları suladı.\n" * 60


def test_the_encoding_is_shown_with_the_first_lines_and_can_be_changed(open_page):
    app = settled(bring(open_page("data", corpus="file"), "bahçe.txt", TURKISH.encode("cp1254")))
    path = str(uploads.uploads()[0].path)
    box = app.selectbox(key=f"encoding.{path}")
    assert box.value == "found" and box.options[0] == "Found: Turkish (Windows-1254)"
    assert len(box.options) == len(set(box.options)) and "Japanese (Shift JIS)" in box.options
    assert TURKISH[:57] in app.code[0].value and any("read as cp1254" in info.value for info in app.info)
    assert "encoding" not in app.query_params
    app.selectbox(key=f"encoding.{path}").set_value("cp1252").run()
    assert app.code[0].value.startswith("Yaþlý adam") and not app.exception
    assert app.session_state["draft.data"]["encoding"] == "cp1252"
    assert app.query_params["encoding"] in ("cp1252", ["cp1252"])
    again = open_page("data", corpus="file", file=path.split("/")[-2], encoding="cp1250")
    assert again.selectbox(key=f"encoding.{path}").value == "cp1250"
    assert again.session_state["draft.data"]["encoding"] == "cp1250"


def test_the_encoding_of_files_in_a_zip_can_be_changed(open_page):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", TURKISH.encode("cp1254"))
        archive.writestr("b.txt", "Plain words. " * 50)
        archive.writestr("c.txt", TURKISH.encode("cp857"))
    app = settled(bring(open_page("data", corpus="file"), "two.zip", packed.getvalue()))
    key = f"encoding.{uploads.uploads()[0].path}"
    assert app.selectbox(key=key).options[0] == "Found: Turkish (Windows-1254), CP857"
    assert TURKISH[:57] in app.code[0].value and any("not Unicode: 2." in each.value for each in app.caption)
    app.selectbox(key=key).set_value("cp1251").run()
    assert TURKISH.encode("cp1254").decode("cp1251")[:57] in app.code[0].value and not app.error and not app.exception
    assert app.session_state["draft.data"]["encoding"] == "cp1251"


def test_a_file_that_is_refused_leaves_the_page_usable(open_page):
    app = settled(bring(open_page("data", corpus="file"), "a.txt", b"Plain words of one. " * 300))
    app.select_slider(key="data.size").set_value(300).run()
    bring(app, "b.csv", b"text,label\nWords,a\nMore,of,them\n")
    assert "the header has 2" in said(app)
    bring(app, "c.csv", b"text,label\n" + b"".join(b"Words number %d,a\n" % i for i in range(300)))
    assert not app.error and app.select_slider(key="data.size").value == 300


def test_an_encoding_that_a_file_is_not_in_is_told_beside_the_box(open_page):
    app = settled(bring(open_page("data", corpus="file"), "a.txt", TURKISH.encode("cp1254")))
    key = f"encoding.{uploads.uploads()[0].path}"
    app.selectbox(key=key).set_value("utf-8").run()
    assert "the byte at offset 2 (line 1) does not fit" in said(app) and not app.exception
    app.selectbox(key=key).set_value("found").run()
    assert not app.error and TURKISH[:57] in app.code[0].value


def test_a_table_in_another_encoding_has_the_columns_of_the_chosen_one(open_page):
    table = "номер;текст\n" + "".join(f"{i};строка {i} идёт\n" for i in range(300))
    app = settled(bring(open_page("data", corpus="file"), "таблица.csv", table.encode("cp866")))
    assert "текст" in app.selectbox(key="data.column").options
    app.selectbox(key=f"encoding.{uploads.uploads()[0].path}").set_value("cp1251").run()
    assert "текст" not in app.selectbox(key="data.column").options
