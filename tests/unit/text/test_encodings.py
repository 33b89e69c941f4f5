"""Which encoding a file is in, and what becomes of bytes that do not fit it."""

import pyarrow
import pyarrow.parquet
import pytest

from playground.core.errors import PlaygroundError
from playground.text import DataSpec
from playground.text.encodings import CHUNK, COMMON, decoded, detect, faults, first_lines, guesses, notes_on
from playground.text.files import open_file

SENTENCES = {
    "Der Bäcker öffnete früh die Tür, denn draußen wartete schon seine Großmutter.": "cp1252 iso8859-15 mac-roman cp850",
    "Le garçon a oublié son cartable à l'école, et sa mère est très fâchée.": "cp1252 iso8859-1 mac-roman cp850",
    "¿Dónde está la estación más próxima? Según el mapa, detrás de la fábrica.": "cp1252 iso8859-15",
    "Perché non può venire? La città era così bella che è già tornato lunedì.": "cp1252 iso8859-1",
    "Pigen løb over marken, fordi hun havde set en blå fugl på gærdet.": "cp1252 cp850",
    "I don’t know – “maybe,” she said, and paid £5 at the café…": "cp1252",
    "Yaşlı adam güneş doğmadan önce bahçedeki ağaçları suladı.": "cp1254 iso8859-9 cp857",
    "A fűben ülő fiú hosszú történetet mesélt a hűvös erdőről.": "cp1250 iso8859-2 cp852",
    "Devojčica je našla malog mačka ispod žute klupe u školskom dvorištu.": "cp1250 iso8859-2 cp852",
    "Děti běžely přes louku, protože slyšely štěkat svého psa.": "cp1250 iso8859-2 cp852",
    "Mała dziewczynka znalazła w lesie żółtego ptaka ze złamanym skrzydłem.": "cp1250 iso8859-2",
    "Bătrânul stătea lângă fântână şi aştepta să vină ploaia.": "cp1250 iso8859-2",
    "Vaikai bėgo per pievą, nes išgirdo savo šuns lojimą.": "cp1257",
    "Старый рыбак сидел у реки и ждал, когда успокоится вода.": "cp1251 koi8-r cp866 iso8859-5 mac-cyrillic",
    "Вчителька пояснила, чому місяць іноді буває червоним.": "cp1251 koi8-u",
    "Τα παιδιά έτρεχαν στο λιβάδι, γιατί άκουσαν τον σκύλο τους.": "cp1253 iso8859-7",
    "הילדים רצו דרך השדה כי שמעו את נביחות הכלב שלהם.": "cp1255",
    "ركض الأطفال عبر الحقل لأنهم سمعوا نباح كلبهم.": "cp1256",
    "เด็กๆ วิ่งข้ามทุ่งหญ้าเพราะได้ยินเสียงสุนัขของพวกเขาเห่า": "cp874",
    "子どもたちは犬の鳴き声を聞いて、草原を走っていった。": "cp932 euc_jp iso2022_jp utf-16-le",
    "孩子们听见狗叫，就穿过草地跑了过去。": "gbk hz utf-16-be",
    "老師給我們講了為什麼月亮有時候是紅色的。": "big5",
    "Kjo është një shtëpi e vjetër, por dritaret janë të reja dhe muret më të forta.": "cp1252 iso8859-1 cp1250",
    "Ĉiu homo scias, ke ŝi ankaŭ venis hodiaŭ, ĉar la suno brilis.": "iso8859-3",
    "Els nens jugaven al carrer perquè feia bon temps.": "cp1252 iso8859-1 mac-roman cp850",
    "Aquesta novel·la és molt llarga, però també és divertida.": "cp1252 iso8859-1 mac-roman cp850",
    "아이들은 개 짖는 소리를 듣고 풀밭을 가로질러 달려갔다.": "euc_kr",
}


def written(path, data: bytes):
    path.write_bytes(data)
    return path


def read(path, encoding=None) -> str:
    return "".join(decoded(path, encoding or detect(path)))


@pytest.mark.parametrize(
    ("sentence", "encoding"), [(text, name) for text, names in SENTENCES.items() for name in names.split()]
)
def test_one_sentence_is_read_right(tmp_path, sentence, encoding):
    for text in (sentence, sentence + "\n"):
        assert read(written(tmp_path / "a.txt", text.encode(encoding))) == text


FEW = [
    pair
    for text, names in SENTENCES.items()
    for name in names.split()[:2]
    for pair in [(text, name)]
    if "utf" not in name
]


@pytest.mark.parametrize(("sentence", "encoding"), FEW)
def test_a_sentence_among_much_english_is_read_right(tmp_path, sentence, encoding):
    """As in a table with English columns, in a program, in a mail."""
    plain = "12;This row says in plain words what it has to say, and nothing more;positive\n"
    text = f"{plain * 30}13;{sentence};negative\n{plain * 30}"
    assert read(written(tmp_path / "a.csv", text.encode(encoding))) == text


@pytest.mark.parametrize(
    ("sentence", "encoding"),
    [(text.upper(), name) for text, name in FEW if text.upper() != text.lower() and name not in ("cp850", "iso8859-7")],
)
def test_a_sentence_in_capitals_is_read_right(tmp_path, sentence, encoding):
    data = sentence.encode(encoding, "ignore")
    assert read(written(tmp_path / "a.txt", data)) == data.decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "cp1250", "cp932"])
def test_signs_far_inside_a_long_english_file_are_found(tmp_path, encoding):
    others = {"cp1251": "Старый рыбак сидел у реки", "cp932": "子どもたちは犬の鳴き声を聞いて"}
    sentence = others.get(encoding, "Děti běžely přes louku")
    plain = b"There is nothing in this line to tell.\n" * 4000
    path = written(tmp_path / "a.txt", plain * 12 + sentence.encode(encoding) + b"\n" + plain * 12)
    assert any(sentence in part for part in decoded(path, detect(path)))


@pytest.mark.parametrize("text", ["café", "It’s", "£20", "Wir müssen"])
def test_a_word_alone_is_western(tmp_path, text):
    assert read(written(tmp_path / "a.txt", text.encode("cp1252"))) == text


def test_what_can_be_chosen_comes_after_what_was_guessed(tmp_path):
    path = written(tmp_path / "a.txt", "Děti běžely přes louku, protože slyšely psa.".encode("iso8859-2"))
    found = guesses(path)
    assert found[0] == detect(path) == "iso8859-2" and len(found) > 1
    assert len({read(path, name) for name in found}) == len(found)  # each would show other letters
    for name in COMMON:
        assert DataSpec("file", "a.txt", encoding=name).encoding == name


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "cp932", "big5", "euc_kr", "utf-16-le"])
def test_a_wrong_byte_is_replaced_and_its_place_is_told(tmp_path, encoding):
    line = {"big5": "老師給我們講了為什麼月亮有時候是紅色的。\n", "euc_kr": "아이들은 풀밭을 가로질러 달려갔다.\n"}.get(
        encoding,
        "孩子听到犬的叫声，就走到草地去了。\n" if encoding != "cp932" else "子どもたちは草原を走っていった。\n",
    )
    good = (line * 40).encode(encoding)
    bad = {"utf-16-le": b"\x00\xdc", "cp932": b"\x81"}.get(encoding, b"\xff")
    path = written(tmp_path / "a.txt", good + bad + "\n".encode(encoding) + good)
    text = read(path)
    assert text.startswith(line * 40 + "\ufffd") and text.endswith(line * 40)
    assert (found := faults(path, detect(path))).count == 1
    assert (found.offset, found.line) == (len(good), 41)
    (note,) = notes_on(path, detect(path), guessed=False)
    assert f": 1, read as \ufffd. The first is the byte at offset {len(good):,} (line 41)" in note


def test_the_place_is_right_across_chunks_and_after_a_mark(tmp_path):
    start = b"\xef\xbb\xbf" + "é\n".encode() * CHUNK
    path = written(tmp_path / "a.txt", start + b"\xff\n" + "é\n".encode() * CHUNK + b"\xfe")
    assert detect(path) == "utf-8-sig"
    found = faults(path, "utf-8-sig")
    assert (found.count, found.offset, found.line) == (2, len(start), CHUNK + 1)
    assert read(path) == "é\n" * CHUNK + "\ufffd\n" + "é\n" * CHUNK + "\ufffd"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_character_cut_off_at_the_end_is_no_fault(tmp_path, encoding, cut):
    whole = "中文的文章\n" * 30
    path = written(tmp_path / "a.txt", (whole + "𠀀").encode(encoding)[:-cut])
    assert read(path) == whole
    assert faults(path, detect(path)) is None and not notes_on(path, detect(path), False)


def test_a_guess_is_told_and_utf8_is_not(tmp_path):
    path = written(tmp_path / "a.txt", "Yaşlı adam güneş doğmadan önce ağaçları suladı.\n".encode("cp1254"))
    assert "a.txt is read as cp1254." in "".join(open_file(DataSpec("file", path)).notes())
    assert not open_file(DataSpec("file", path, encoding="cp1254")).notes()
    assert not open_file(DataSpec("file", written(path, "Yaşlı".encode()))).notes()


@pytest.mark.parametrize(("name", "start"), [("a.csv", b"text,label\n"), ("a.jsonl", b""), ("a.txt", b"")])
def test_damage_is_told_for_every_kind_of_file(tmp_path, name, start):
    row = '{"text": "née à Zürich", "label": "é"}\n' if name == "a.jsonl" else "née à Zürich,é\n"
    good = start + row.encode() * 30
    path = written(tmp_path / name, good + row.encode().replace(b"\xc3\xa9e", b"\xe9e") + row.encode() * 30)
    source = open_file(DataSpec("file", path))
    assert "n\ufffde à Zürich" in "".join(source.documents())
    assert any("Damaged places in a" in note and f"line {31 + bool(start)})" in note for note in source.notes())


@pytest.mark.parametrize("zeros", [1, 5])
def test_zero_bytes_in_a_short_text_do_not_make_it_chinese(tmp_path, zeros):
    text = "text,label\nThe quiet lake,calm\nA loud train,not calm\n" * 3
    assert detect(written(tmp_path / "a.csv", text.replace("e", "e\0", zeros).encode())) == "utf-8"


@pytest.mark.parametrize(
    "text",
    ["Старый рыбак сидел у реки", "बूढ़ा आदमी नदी के पास बैठा था", "Dzieci biegły", "孩子们听见狗叫 就跑了", "The old man"],
)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_known_in_every_alphabet(tmp_path, text, encoding):
    assert read(written(tmp_path / "a.txt", (text + "\n").encode(encoding) * 3)) == (text + "\n") * 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_half_an_emoji_in_utf16_is_replaced(tmp_path, encoding):
    path = written(tmp_path / "a.txt", "He said \ud83d and left.\n".encode(encoding, "surrogatepass") * 2)
    assert read(path).startswith("He said \ufffd and left.\n")


def test_a_zero_byte_in_text_is_no_reason_to_refuse_it(tmp_path):
    text = "Some plain text, and a naïve word.\n" * 100
    assert read(written(tmp_path / "a.txt", text.encode() + b"\0" + text.encode())) == text + "\0" + text


def test_a_file_written_anew_is_looked_at_anew(tmp_path):
    path = written(tmp_path / "a.txt", "été\n".encode() * 10 + b"\xff")
    assert faults(path, "utf-8").count == 1
    assert faults(written(path, "été\n".encode() * 10 + b"x"), "utf-8") is None


def test_a_byte_order_mark_is_no_letter_whatever_is_named(tmp_path):
    for mark, encoding in (("utf-8-sig", "utf-8"), ("utf-16", "utf-16-le"), ("utf-16", "utf-16")):
        assert read(written(tmp_path / "a.txt", "été".encode(mark)), encoding) == "été"


def test_the_lines_that_are_shown_have_letters_to_judge_by(tmp_path):
    plain = "A plain line of English.\n" * 20_000  # more than one part
    lines = ["A dog; " * 20 + "žlutý kůň běžel", "řeka", "Ten pes"]
    path = written(tmp_path / "a.txt", (plain + "\n".join([*lines, "ň"]) + "\n" + plain).encode("cp1250"))
    shown = first_lines(path, "cp1250", 2, 40)
    assert "žlutý kůň" in shown[0] and len(shown[0]) <= 42 and shown[1] == "řeka"
    assert first_lines(written(path, plain.encode()), "utf-8", 2) == ["A plain line of English."] * 2


def test_the_first_lines_show_whether_the_letters_are_right(tmp_path):
    path = written(tmp_path / "a.txt", ("\n\nпервая\r\n  вторая\n" + "x" * 500 + "\nлишняя\nпятая").encode("cp1251"))
    assert first_lines(path, "cp1251") == ["первая", "вторая", "x" * 120 + "…", "лишняя"]
    assert first_lines(path, "cp1252", 1) == ["ïåðâàÿ"]


@pytest.mark.parametrize(
    "name", ["hex", "base64", "rot13", "zlib", "idna", "punycode", "undefined", "utf-9", "", "a\0b", 5, ["x"]]
)
def test_what_is_no_encoding_of_texts_is_refused(name):
    with pytest.raises(PlaygroundError, match="There is no text encoding") as caught:
        DataSpec("file", "a.txt", encoding=name)
    assert caught.value.hint


def test_a_file_that_holds_its_own_encoding_takes_none(tmp_path):
    parquet = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["été"]}), parquet)
    assert list(open_file(DataSpec("file", parquet)).documents()) == ["été"]
    for path in (parquet, written(tmp_path / "a.pdf", b"%PDF-1.4\n")):
        with pytest.raises(PlaygroundError, match=f"{path.name} is no text file"):
            open_file(DataSpec("file", path, encoding="cp1254"))


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("name", ["utf-16", "UTF_32"])
def test_unicode_in_wide_letters_can_be_chosen_where_no_mark_tells_the_order(tmp_path, name, order):
    said = "The old dog slept, и кот тоже.\n" * 30
    path = tmp_path / "t.txt"
    path.write_bytes(said.encode(f"{name}-{order}"))
    assert "".join(decoded(path, name)) == said and faults(path, name) is None
    path.write_bytes(said.encode(name))
    assert "".join(decoded(path, name)) == said and faults(path, name) is None


def test_wide_letters_that_are_none_are_refused_in_words(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("The old dog slept. " * 30)
    with pytest.raises(PlaygroundError, match="t.txt is not utf-32: the byte at offset 0"):
        list(decoded(path, "utf-32"))


@pytest.mark.parametrize("around", [2, 300])
def test_half_an_emoji_is_one_damaged_place_in_utf8(tmp_path, around):
    before, after = "The old dog slept well. " * around, " So did the cat."
    path = tmp_path / "t.txt"
    path.write_bytes(f"{before}\ud83d{after}".encode("utf-8", "surrogatepass"))
    assert detect(path) == "utf-8" and "".join(decoded(path, "utf-8")) == f"{before}\ufffd{after}"
    assert (faults(path, "utf-8").count, faults(path, "utf-8").offset) == (1, len(before))
