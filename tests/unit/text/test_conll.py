"""Words with tags on lines of their own, in the forms in which people share them."""

import pytest

from playground.core.errors import PlaygroundError
from playground.labelled.prepare import prepare_labelled
from playground.labelled.table import guess_columns, is_table, read_table
from playground.runs.finetuning import LabelledSpec
from playground.text import DataSpec, TokenizerSpec
from playground.text.encodings import beginning
from playground.text.files import open_file
from playground.text.vocabulary import learn

FIRST = [("Anna", "B-PER"), ("lives", "O"), ("in", "O"), ("Rome", "B-LOC"), (".", "O")]
SECOND = [("The", "O"), ("#", "O"), ("sign", "O"), ("fell", "O")]
SENTENCES = [FIRST, SECOND] * 3


def lines(form, sentences=SENTENCES, end="\n") -> str:
    """Sentences with each word written by ``form`` (a number from 1, the word, its tag)."""
    return (end * 2).join(end.join(form(i, *pair) for i, pair in enumerate(each, 1)) for each in sentences) + end


TAB = lines(lambda i, word, tag: f"{word}\t{tag}")
SPACE = TAB.replace("\t", " ")
FORMS = {
    "tabs.conll": TAB,
    "spaces.iob": SPACE,
    "plain.txt": SPACE,
    "tabs.txt": TAB,
    "table.tsv": TAB,
    "lines.txt": SPACE.replace("\n", "\r\n"),
    "mixed.conll": lines(lambda i, word, tag: f"{word}{' ' if i % 2 else chr(9)}{tag}"),
    "both.iob": lines(lambda i, word, tag: f"{word} NN{i % 2} B-NP\t{tag}"),
    "placed.conll": "#begin document (news/1); part 0\n"
    + lines(lambda i, word, tag: f"news/1 0 {i - 1} {word} NN{i % 2} {tag}"),
    "vertical.conll": '<doc id="1">\n<s>\n' + TAB.replace("\n\n", "\n</s>\n<s>\n") + "</s>\n</doc>\n",
    "mac.bio": SPACE.replace("\n", "\r"),
    "spaced.conll": TAB.replace("\n\n", "\n \t\n\n"),
    "named.conll": "token\ttag\n" + TAB,
    "four.txt": "-DOCSTART- -X- -X- O\n\n" + lines(lambda i, word, tag: f"{word} NN{i % 2} B-NP {tag}"),
    "comments.conll": "# a word, a tag\n" + TAB.replace("\n\n", "\n\n# source = here and there\n"),
    "numbered.tsv": lines(lambda i, word, tag: f"{i}\t{word}\t{tag}").replace("\n\n", "\n\n# from somewhere\n"),
    "turned.bio": lines(lambda i, word, tag: f"{tag}\t{word}"),
    "ud.conllu": "# text = one\n"
    + lines(lambda i, word, tag: f"{i}\t{word}\tlemma\t{tag}\tX\t_\t0\troot\t_\t_")
    .replace("\n2\tlives", "\n2-3\tlivesin\t_\t_\t_\t_\t_\t_\t_\t_\n2\tlives")
    .replace("\n5\t.", "\n4.1\tso\t_\t_\t_\t_\t_\t_\t_\t_\n5\t."),
}
FORMS["ud.txt"] = FORMS["ud.conllu"]
FORMS["spaces.conllu"] = FORMS["ud.conllu"].replace("\t", " ")


def spec_of(path, content, **choices) -> LabelledSpec:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return LabelledSpec("file", path=str(path), **choices)


@pytest.mark.parametrize("name", FORMS)
def test_words_and_tags_of_each_sentence(tmp_path, name):
    spec = spec_of(tmp_path / name, FORMS[name])
    assert is_table(spec.path) and guess_columns(spec.path) == ("tokens", "tags")
    rows, notes = read_table(spec, "tag")
    assert [[(piece.strip(), tag) for piece, tag in zip(row.pieces, row.tags)] for row in rows()] == SENTENCES
    assert len(notes()) == 1 and notes()[0].startswith(
        f"{name} is read as sentences, with a word on each line: column "
    )


def test_other_columns_can_be_chosen(tmp_path):
    spec = spec_of(tmp_path / "four.conll", FORMS["four.txt"], label_column="column 2")
    assert next(read_table(spec, "tag")[0]()).tags == ("NN1", "NN0", "NN1", "NN0", "NN1")


@pytest.mark.parametrize("encoding", ["utf-16", "cp1251", "gb18030"])
def test_in_other_encodings(tmp_path, encoding):
    words = (
        ["我", "爱", "北", "京", "。"] if encoding == "gb18030" else ["Анна", "живёт", "в", "старом", "Риме", "давно"]
    )
    content = lines(
        lambda i, word, tag: f"{word} {tag}", [[(word, "B-LOC" if word in "北Риме" else "O") for word in words]] * 4
    )
    rows = list(read_table(spec_of(tmp_path / "t.txt", content.encode(encoding)), "tag")[0]())
    assert len(rows) == 4 and rows[0].text == ("我爱北京。" if encoding == "gb18030" else " ".join(words))


def test_parts_of_speech_in_a_plain_text(tmp_path):
    content = "The DET\nold ADJ\ndog NOUN\nruns VERB\n. PUNCT\n\n" * 4
    assert next(read_table(spec_of(tmp_path / "t.txt", content), "tag")[0]()).tags == (
        "DET",
        "ADJ",
        "NOUN",
        "VERB",
        "PUNCT",
    )


@pytest.mark.parametrize(
    "content",
    [
        "Roses RED\nViolets BLUE\n\nSugar SWEET\nYou TOO\n",
        "Hello there.\n\nThis is text.\n\nMore of it.\n",
        "1 2\n3 4\n\n5 6\n7 8\n",
        "- milk\n- eggs\n\n- flour\n- salt\n",
        "Anna: Yes\nOtto: No\n\nAnna: Yes\nOtto: No\n\n" * 5,
        "O Captain\nO Captain\n\nO my\nO my\n",
    ],
)
def test_other_texts_are_no_tables(tmp_path, content):
    spec = spec_of(tmp_path / "t.txt", content)
    assert not is_table(spec.path)
    with pytest.raises(PlaygroundError, match="plain text, which has no labels") as caught:
        read_table(spec, "tag")
    assert ".conll" in caught.value.hint


def test_a_table_of_single_words_stays_a_table(tmp_path):
    spec = spec_of(tmp_path / "t.tsv", "text\tlabel\ngood\tA\n\nbad one\tB\n\nfine\tA\n")
    assert [row.text for row in read_table(spec, "classify")[0]()] == ["good", "bad one", "fine"]


def test_as_text_without_tags(tmp_path):
    source = open_file(DataSpec("file", path=spec_of(tmp_path / "t.conll", TAB).path))
    assert list(source.documents())[:2] == ["Anna lives in Rome .", "The # sign fell"]
    source = open_file(DataSpec("file", path=spec_of(tmp_path / "t.txt", SPACE).path))
    assert "".join(source.documents()) == SPACE
    assert source.notes() == [
        "t.txt has a word with tags on each line, and is read as it stands."
        " To read its words as sentences, let its name end in .conll."
    ]


def test_a_word_without_a_tag_is_kept_and_counted(tmp_path):
    rows, notes = read_table(spec_of(tmp_path / "t.conll", TAB.replace("lives\tO", "lives")), "tag")
    assert [row.tags for row in rows()][0] == ("B-PER", "", "O", "B-LOC", "O")
    assert notes()[1] == "Lines of t.conll without a tag, which is not asked about: 3 (first: line 2)."


@pytest.mark.parametrize(
    "content, words",
    [
        (TAB + "\nNew\tYork\tB-LOC\n", "Line 34 of t.conll has 3 columns, but most lines have 2."),
        ("a\nb\n\nc\n", "The lines of t.conll have one column: there is no tag beside a word."),
        ("\n# nothing\n\n", "t.conll has no rows."),
        ("a O\nb B\n" * 10_001, "The sentence that ends on line 20,001 of t.conll has more than 20,000 words."),
    ],
)
def test_what_is_wrong_is_told(tmp_path, content, words):
    with pytest.raises(PlaygroundError) as caught:
        list(read_table(spec_of(tmp_path / "t.conll", content), "tag")[0]())
    assert caught.value.message == words and caught.value.hint


@pytest.mark.parametrize("name", ["t.conll", "t.txt"])
def test_it_becomes_a_prepared_set(tmp_path, monkeypatch, name):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    sentences = [[(f"word{i}", "O"), ("in", "O"), (f"Town{i}", "B-LOC")] for i in range(60)]
    spec = spec_of(tmp_path / name, lines(lambda i, word, tag: f"{word} {tag}", sentences))
    data = prepare_labelled(spec, "tag", learn(TokenizerSpec("byte"), lambda: iter(()), lambda: iter(())), 64)
    assert data.labels == ("O", "B-LOC") and sum(map(len, (data.train, data.validation, data.test))) == 60
    assert any("column 2 the tags" in note for note in data.info["notes"])


@pytest.mark.parametrize("filled", [True, False])
@pytest.mark.parametrize(
    "name, number", [("Sentence #", "Sentence: {}"), ("sentence_id", "{}"), ("sent", "{}.0"), ("SENT.ID", "{}")]
)
def test_a_table_with_a_word_in_each_row(tmp_path, name, number, filled):
    rows = [f"{name},Word,POS,Tag"]
    for i, sentence in enumerate(SENTENCES, 1):
        rows += [
            f"{number.format(i) if filled or not j else ''},{word},X{j},{tag}" for j, (word, tag) in enumerate(sentence)
        ]
    spec = spec_of(tmp_path / "t.csv", "\n".join(rows) + "\n")
    assert guess_columns(spec.path) == ("Word", "Tag")
    read, notes = read_table(spec, "tag")
    assert [[(piece.strip(), tag) for piece, tag in zip(row.pieces, row.tags)] for row in read()] == SENTENCES
    assert notes() == [
        f"t.csv has a word in each row, and is read as sentences: one begins where the column {name!r} says so."
    ]


def test_rows_without_a_word_are_left_out_and_counted(tmp_path):
    spec = spec_of(tmp_path / "t.csv", "sent,token,mark\n1,Anna,P\n1,,O\n1,ran,O\n2,Rome,L\n2,nan,O\n")
    assert guess_columns(spec.path) == ("token", "mark")
    read, notes = read_table(spec, "tag")
    for _ in range(2):
        assert [(row.pieces, row.tags) for row in read()] == [(("Anna", " ran"), ("P", "O")), (("Rome",), ("L",))]
        assert notes()[-1] == "Rows of t.csv without a word, left out: 2 (first: row 2)."


@pytest.mark.parametrize(
    "content",
    ["sentence,word,label\nA dog runs.,dog,a\nA cat sits.,cat,b\n", "id,word,tag\n1,dog,N\n2,runs,V\n"],
)
def test_other_tables_with_a_column_of_words_stay(tmp_path, content):
    spec = spec_of(
        tmp_path / "t.csv", content, text_column="word", label_column="label" if "label" in content else "tag"
    )
    assert len(list(read_table(spec, "classify")[0]())) == 2


def test_a_book_on_one_line_is_only_looked_into(tmp_path, monkeypatch):
    monkeypatch.setattr("playground.text.encodings.CHUNK", 1000)
    monkeypatch.setattr("playground.text.encodings.lines", None)  # which would hold the line whole
    monkeypatch.setattr("playground.text.conll.lines", None)
    path = tmp_path / "t.txt"
    path.write_text("So it went on. " * 1000)
    assert not is_table(str(path)) and beginning(path, "utf-8") == []
    assert open_file(DataSpec("file", path=path)).notes() == []
    path.write_text(SPACE * 20)
    assert is_table(str(path)) and 900 < len("".join(beginning(path, "utf-8"))) <= 1000
