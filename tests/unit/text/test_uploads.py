"""What people bring: kept once, in parts, or refused in a sentence."""

import io
import json
import zipfile

import pytest

from playground.core.errors import PlaygroundError
from playground.text import archive_encodings
from playground.text.files import columns, open_file
from playground.text.spec import DataSpec
from playground.text.uploads import keep, safe_name, uploads, write

CHINESE = "话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。及秦灭之后，楚、汉分争，又并入于汉。\n" * 40


def zipped(files: dict[str, bytes], links: tuple[str, ...] = ()) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if name in links else 0o100644) << 16
            archive.writestr(info, data)
    file.seek(0)
    return file


def text_of(path) -> str:
    return "".join(open_file(DataSpec("file", path=str(path))).documents())


def test_a_file_is_kept_under_its_name_and_its_content():
    upload = keep(io.BytesIO(b"hello there\n"), "my notes.txt")
    assert upload.name == "my notes.txt" and upload.size == 12
    assert text_of(upload.path) == "hello there\n"
    assert [each.path for each in uploads()] == [upload.path]


def test_equal_content_is_kept_once(home):
    first = keep(io.BytesIO(b"the same words\nagain"), "a.txt")
    second = keep(io.BytesIO(b"the same words\nagain"), "b.txt")
    assert first.path == second.path
    assert keep(io.BytesIO(b"the same words\nagain"), "c.csv").path.suffix == ".csv"
    assert not list((home / "uploads").glob(".part-*"))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.txt", b"", "empty.txt is empty."),
        ("photo.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "photo.txt is not text: it is a PNG image."),
        ("song.mp3", b"ID3", "files ending in .mp3 are not read"),
        ("noise.txt", b"\0\1\0\0\2\0\3" * 100, "noise.txt is not text: it holds zero bytes."),
        ("broken.zip", b"PK\x03\x04 and then nothing", "The archive broken.zip cannot be opened"),
    ],
)
def test_what_cannot_be_read_is_told(home, name, data, says):
    with pytest.raises(PlaygroundError, match=says.replace("(", r"\(")) as told:
        keep(io.BytesIO(data), name)
    assert told.value.hint
    assert not uploads() and not list((home / "uploads").glob(".part-*"))


@pytest.mark.parametrize("encoding", ["utf-16", "gbk", "utf-8-sig"])
def test_encodings_are_found(encoding):
    assert text_of(keep(io.BytesIO(CHINESE.encode(encoding)), "sanguo.txt").path) == CHINESE


def test_a_table_without_the_chosen_column_is_told():
    upload = keep(io.BytesIO(b"title,body\na,b\n"), "reviews.csv")
    with pytest.raises(PlaygroundError, match="reviews.csv has no column 'review'.") as told:
        open_file(DataSpec("file", path=str(upload.path), text_column="review"))
    assert told.value.hint == "It has title, body."


def test_a_zip_of_texts_becomes_documents():
    files = {"b/two.txt": CHINESE.encode("gbk"), "a.md": b'first "quoted"\n', "photo.png": b"\x89PNG"}
    upload = keep(zipped(files), "letters.zip")
    assert upload.path.name == "letters.jsonl"
    rows = [json.loads(line) for line in upload.path.read_text(encoding="utf-8").splitlines()]
    assert [row["name"] for row in rows] == ["a.md", "b/two.txt"]
    assert [row["text"] for row in rows] == ['first "quoted"\n', CHINESE]
    assert upload.notes == (
        "Files of letters.zip that are empty or no .txt, .md, .pdf or .docx, left out: 1 (photo.png).",
        "b/two.txt is read as gb18030. That is a guess; you can choose another encoding.",
    )


def test_damage_in_a_zip_is_told_file_by_file():
    texts = {f"{i}.txt": "été à Zürich\n".encode() * (i + 3) + b"\xff\n" for i in range(8)}
    upload = keep(zipped(texts | {"whole.txt": b"words"}), "letters.zip")
    rows = [json.loads(line) for line in upload.path.read_text(encoding="utf-8").splitlines()]
    assert [row["text"].count("\ufffd") for row in rows] == [1] * 8 + [0]
    assert [note.partition(":")[0] for note in upload.notes[:2]] == [
        "Damaged places in 0.txt",
        "Damaged places in 1.txt",
    ]
    assert "(line 4)" in upload.notes[0] and upload.notes[-1] == "Other files of which this is to be said: 3."


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "C:evil.txt"])
def test_a_zip_that_leads_out_of_its_folder_is_refused(home, name):
    with pytest.raises(PlaygroundError, match="leads out of its folder"):
        keep(zipped({"fine.txt": b"words", name: b"evil"}), "trap.zip")
    assert not list(home.rglob("evil*")) and not uploads()


def test_a_zip_with_a_link_is_refused():
    with pytest.raises(PlaygroundError, match="leads out of its folder"):
        keep(zipped({"passwords.txt": b"/etc/passwd"}, links=("passwords.txt",)), "trap.zip")


def test_a_zip_without_texts_is_told():
    with pytest.raises(PlaygroundError, match="holds no .txt, .pdf or .docx files"):
        keep(zipped({"photo.png": b"\x89PNG"}), "photos.zip")


def test_a_zip_with_something_else_inside_names_it():
    with pytest.raises(PlaygroundError, match="photo.txt in photos.zip is not text: it is a PNG image"):
        keep(zipped({"photo.txt": b"\x89PNG\r\n"}), "photos.zip")


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("place", [60, 200, 900])
def test_a_zip_with_damage_inside_is_told(home, kind, place):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        archive.writestr("a.txt", "".join(f"{i * i % 977} " for i in range(3000)))
    data = bytearray(file.getvalue())
    data[place : place + 12] = bytes(byte ^ 0x5A for byte in data[place : place + 12])
    with pytest.raises(PlaygroundError, match="The archive letters.zip cannot be opened"):
        keep(io.BytesIO(bytes(data)), "letters.zip")


def test_a_zip_without_its_beginning_or_with_broken_names_is_told(home):
    data = zipped({"ä.txt": b"".join(b"%d " % (i * i % 977) for i in range(3000))}).getvalue()
    for damaged in (data[-200:], data.replace("ä".encode(), b"\xe4\xff")):
        with pytest.raises(PlaygroundError, match="The archive letters.zip cannot be opened"):
            keep(io.BytesIO(damaged), "letters.zip")


def test_files_of_a_zip_that_are_left_out_are_told():
    files = {"a.txt": b"words", "b.csv": b"text\n", "c.md": b"", ".DS_Store": b"x", "__MACOSX/a.txt": b"x"}
    upload = keep(zipped(files), "letters.zip")
    assert upload.notes == ("Files of letters.zip that are empty or no .txt, .md, .pdf or .docx, left out: 2 (b.csv).",)
    with pytest.raises(PlaygroundError) as told:
        keep(zipped({"b.csv": b"text\nwords\n"}), "letters.zip")
    assert told.value.hint == "Unpack it, and bring the table."


def test_a_zip_that_unpacks_to_too_much_is_stopped(monkeypatch, home):
    monkeypatch.setattr("playground.text.zip_archives.LARGEST_ARCHIVE", 3_000_000)
    with pytest.raises(PlaygroundError, match="holds more than"):
        keep(zipped({"bomb.txt": b"a" * 5_000_000}), "bomb.zip")
    assert not list((home / "uploads").iterdir())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("a\\b.txt", "b.txt"),
        ("..", "upload.txt"),
        ("x\n<y>.txt", "x__y_.txt"),
        ("n" * 300 + ".txt", "n" * 80 + ".txt"),
    ],
)
def test_names_lead_nowhere(given, kept):
    assert safe_name(given) == kept


def test_a_large_file_passes_in_parts():
    class Large(io.RawIOBase):
        """200 MB that never exist whole; reading more than a part at once would."""

        left, largest = 200_000_000, 0

        def read(self, size=-1):
            self.largest = max(self.largest, size if size > 0 else self.left)
            size = min(size if size > 0 else self.left, self.left)
            self.left -= size
            return b"words and lines\n" * (size // 16) + b"w" * (size % 16)

    file = Large()
    assert keep(file, "large.txt").size == 200_000_000
    assert file.largest <= 1 << 20


TURKISH = "Yaşlı adam güneş doğmadan önce bahçedeki ağaçları suladı. Iğdır'ın dağları karlı.\n"


def test_a_chosen_encoding_is_that_of_all_files_of_a_zip_that_are_not_unicode(home):
    files = {"a.txt": TURKISH.encode("cp1254"), "b.txt": "çağ".encode("cp1254"), "c.txt": CHINESE.encode()}
    upload = keep(zipped(files), "letters.zip")
    assert archive_encodings.has_older_encodings(upload.path) and list(
        archive_encodings.guessed_encodings(upload.path)
    ) == [
        "a.txt",
        "b.txt",
    ]
    documents = lambda encoding: list(open_file(DataSpec("file", path=str(upload.path), encoding=encoding)).documents())
    assert documents(None)[2] == CHINESE
    assert documents("cp1254") == [TURKISH, "çağ", CHINESE] == documents("windows-1254")
    assert documents("cp1251") == [files["a.txt"].decode("cp1251"), files["b.txt"].decode("cp1251"), CHINESE]
    assert archive_encodings.first_characters(upload.path, "cp1254") == TURKISH
    assert [each.path for each in uploads()] == [upload.path]  # what was read again is no other upload
    opened = [open_file(DataSpec("file", path=str(upload.path), encoding=each)) for each in (None, "cp1254", "cp1251")]
    assert len({source.fingerprint for source in opened}) == 3


def test_a_file_of_a_zip_that_is_not_in_the_chosen_encoding_is_named(home):
    upload = keep(zipped({"a.txt": TURKISH.encode("cp1254") * 9}), "letters.zip")
    with pytest.raises(PlaygroundError, match=r"a.txt in letters.zip is not utf-8: the byte at offset 2 \(line 1\)"):
        open_file(DataSpec("file", path=str(upload.path), encoding="utf-8"))
    assert not list((upload.path.parent / ".read").iterdir())


def test_damage_in_the_chosen_encoding_is_told(home):
    upload = keep(zipped({"a.txt": ("早上好，" * 300).encode("gbk") + b"\xff\n"}), "letters.zip")
    source = open_file(DataSpec("file", path=str(upload.path), encoding="gb18030"))
    assert list(source.documents())[0].startswith("早上好") and source.notes()[0].startswith(
        "Damaged places in a.txt: 1"
    )


def test_an_archive_of_unicode_alone_is_not_kept_twice(home):
    upload = keep(zipped({"a.txt": CHINESE.encode()}), "letters.zip")
    assert not archive_encodings.has_older_encodings(upload.path)
    assert sorted(each.name for each in upload.path.parent.iterdir()) == [".unpacked", "letters.jsonl"]


@pytest.mark.parametrize("text", [CHINESE.encode(), CHINESE.encode("gb18030")])
def test_texts_of_an_archive_are_no_table_that_somebody_wrote(home, text):
    upload = keep(zipped({"a.txt": text}), "letters.zip")
    spec = DataSpec("file", path=str(upload.path))
    assert upload.name == uploads()[0].name == "letters.zip"
    assert columns(spec) == []
    assert open_file(spec).provenance == "From the file letters.zip."
    assert list(open_file(spec).documents()) == [CHINESE]


@pytest.mark.parametrize(("kept", "shown"), [(b"", "letters.jsonl"), (b"\xff.zip", "\ufffd.zip")])
def test_a_damaged_name_of_an_archive_ends_nothing(home, kept, shown):
    upload = keep(zipped({"a.txt": CHINESE.encode()}), "letters.zip")
    (upload.path.parent / ".unpacked").write_bytes(kept)
    assert uploads()[0].name == shown


def test_the_same_lines_brought_as_a_table_are_one(home):
    upload = keep(io.BytesIO(b'{"name": "a", "text": "one"}\n'), "letters.jsonl")
    assert upload.name == "letters.jsonl" and columns(DataSpec("file", path=str(upload.path))) == ["name", "text"]


def test_a_written_text_is_no_file(home):
    upload = write("The lamp in the window is for the boats. " * 3)
    told = open_file(DataSpec("file", path=str(upload.path))).provenance
    assert told == "Written in the app: “The lamp in the window is for the boats…”."
