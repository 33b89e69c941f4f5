"""PDF and Word documents as text, against documents that are made here by hand."""

import io
import os
import signal
import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from playground.core.errors import PlaygroundError
from playground.text import documents, uploads
from playground.text.files import open_file
from playground.text.prepare import prepare
from playground.text.spec import DataSpec, TokenizerSpec


def pdf(pages: list[list[str]], trailer: bytes = b"", fonts: bytes = b"") -> bytes:
    """A PDF of these lines, written object by object."""
    font = fonts or b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    objects, kids = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", font], []
    for lines in pages:
        shown = b" ".join(b"<%s> Tj T*" % line.encode("cp1252").hex().encode() for line in lines)
        body = b"BT /F1 12 Tf 14 TL 50 780 Td " + shown + b" ET"
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(body), body))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    return assembled(objects, trailer)


def assembled(objects: list[bytes], trailer: bytes) -> bytes:
    """The file of PDF objects, with the table of their places."""
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF" % (
        size,
        table,
        size,
        trailer,
        len(out),
    )


LOCK = b"/ID [<00> <00>] /Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <%s> /U <%s> >>" % (
    b"11" * 32,
    b"22" * 32,
)


def word(fill) -> bytes:
    made, file = docx.Document(), io.BytesIO()
    fill(made)
    made.save(file)
    return file.getvalue()


def text_of(path: Path) -> str:
    return "".join(open_file(DataSpec("file", path=str(path))).documents())


def kept(data: bytes, name: str) -> Path:
    return uploads.keep(io.BytesIO(data), name).path


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    return tmp_path


def test_a_pdf_is_read_page_by_page():
    path = kept(pdf([["The mill stands by the river.", "Its wheel turns."], ["Café, 5 € a cup."]]), "mill.pdf")
    assert path.name == "mill.pdf"
    assert text_of(path) == "The mill stands by the river.\nIts wheel turns.\nCafé, 5 € a cup.\n"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["It was a won-", "derful day."], "It was a wonderful day."),
        (["a state-of-", "the-art mill"], "a state-of-the-art mill"),
        (["an Anglo-", "Saxon word"], "an Anglo-Saxon word"),
        (["so he went -", "and came back"], "so he went -\nand came back"),
    ],
)
def test_words_that_a_line_has_cut_are_joined(lines, text):
    assert text_of(kept(pdf([lines]), "cut.pdf")) == text + "\n"


def test_no_sign_that_is_no_text_is_left():
    assert (
        documents.clean_pdf_text("ﬁve ﬂags\r\nof\x00 one\ud800 co\xadlour\rand so")
        == "five flags\nof one colour\nand so"
    )


def test_a_word_document_is_read_in_its_order():
    def fill(made):
        made.add_heading("The mill")
        made.add_paragraph("It stands\tby the river.")
        table = made.add_table(2, 2)
        for place, words in enumerate(("wheel", "turns", "stone", "grinds\nwell")):
            table.cell(place // 2, place % 2).text = words
        made.add_paragraph("The end 终.")
        made.sections[0].header.paragraphs[0].text = "a header"

    text = "The mill\nIt stands\tby the river.\nwheel\tturns\nstone\tgrinds well\nThe end 终.\n"
    assert text_of(kept(word(fill), "mill.docx")) == text


def test_what_was_inserted_counts_and_what_was_deleted_does_not():
    def fill(made):
        spaces = nsdecls("w")
        made.element.body.insert(
            0,
            parse_xml(
                f'<w:p {spaces}><w:r><w:t xml:space="preserve">the </w:t></w:r><w:ins w:id="1" w:author="x"><w:r><w:t>new</w:t></w:r>'
                '</w:ins><w:del w:id="2" w:author="x"><w:r><w:delText>old</w:delText></w:r></w:del><w:r><w:t> mill</w:t></w:r></w:p>'
            ),
        )
        made.element.body.insert(
            1,
            parse_xml(
                f"<w:sdt {spaces}><w:sdtContent><w:p><w:r><w:t>in a field</w:t></w:r></w:p></w:sdtContent></w:sdt>"
            ),
        )

    assert text_of(kept(word(fill), "changed.docx")) == "the new mill\nin a field\n"


def bomb() -> bytes:
    """A .docx of a few kilobytes that says it unpacks to more than may be."""
    file = io.BytesIO(word(lambda made: made.add_paragraph("small")))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("word/large.xml", bytes(3_000_000))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "says", "hint"),
    [
        ("locked.pdf", pdf([["secret"]], LOCK), "locked.pdf is locked with a password.", "without a password"),
        ("scan.pdf", pdf([[], []]), "scan.pdf holds no text", "OCR"),
        ("cut.pdf", b"%PDF-1.4 and then nothing", "cut.pdf is not a PDF document, or it is damaged.", "save it again"),
        ("cut.docx", b"PK\x03\x04 and then nothing", "cut.docx is not a Word document", "save it again"),
        ("list.docx", b"just words, no document", "list.docx is not a Word document", "save it again"),
        ("old.docx", b"\xd0\xcf\x11\xe0" + bytes(900), "old.docx is locked with a password, or it is an old", ".docx"),
        ("none.docx", word(lambda made: None), "none.docx holds no text", "OCR"),
        ("letter.doc", b"\xd0\xcf\x11\xe0" + bytes(900), "files ending in .doc are not read", "save it as .docx"),
        ("novel.epub", b"PK", "files ending in .epub are not read", "Convert it to .txt"),
        ("paper.txt", pdf([["words"]]), "it is a PDF document", "let its name end in .pdf"),
    ],
)
def test_what_cannot_be_read_is_told(home, name, data, says, hint):
    with pytest.raises(PlaygroundError) as told:
        kept(data, name)
    assert says in told.value.message and hint in told.value.hint
    assert not uploads.uploads() and not list((home / "uploads").glob(".part-*"))


@pytest.mark.parametrize(
    ("limit", "value", "name", "data", "says"),
    [
        ("MOST_PAGES", 2, "long.pdf", pdf([["a page"]] * 3), "more than 2 pages"),
        ("LARGEST_UNPACKED", 2_000_000, "bomb.docx", bomb(), "unpacks to more than"),
    ],
)
def test_limits_are_told(monkeypatch, tmp_path, limit, value, name, data, says):
    path = tmp_path / name
    path.write_bytes(data)
    monkeypatch.setattr(documents, limit, value)
    with pytest.raises(PlaygroundError, match=says):
        list(documents.READERS[path.suffix](path, name))


@pytest.mark.parametrize(
    ("limit", "value", "says"), [("LARGEST", 100, "is larger than"), ("MOST_SECONDS", 0.0, "takes longer than")]
)
def test_a_large_file_is_not_even_opened_and_a_slow_reader_is_ended(monkeypatch, tmp_path, limit, value, says):
    path = tmp_path / "short.pdf"
    path.write_bytes(pdf([["words"]]))
    monkeypatch.setattr(documents, limit, value)
    with pytest.raises(PlaygroundError, match=says):
        documents.check(path)


def test_a_reader_that_falls_is_a_sentence(monkeypatch, tmp_path):
    path = tmp_path / "fell.pdf"
    path.write_bytes(pdf([["words"]] * 2000))
    popen = documents.subprocess.Popen

    def fallen(*args, **more):
        process = popen(*args, **more)
        process.send_signal(signal.SIGKILL)
        return process

    monkeypatch.setattr(documents.subprocess, "Popen", fallen)
    with pytest.raises(PlaygroundError, match="could not be read to its end"):
        documents.check(path)


def test_who_reads_no_further_ends_the_reader(tmp_path, monkeypatch):
    path = tmp_path / "long.pdf"
    path.write_bytes(pdf([["a page of words"]] * 300))
    started, popen = [], documents.subprocess.Popen
    monkeypatch.setattr(documents.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[0])
    pages = iter(documents.DocumentReader(path))
    assert next(pages) == "a page of words\n"
    pages.close()
    assert started[0].poll() is not None
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)


def test_a_long_pdf_tells_how_far_it_is():
    path = kept(pdf([[f"Page {n} tells of rivers and mills."] for n in range(600)]), "long.pdf")
    told = []
    spec = DataSpec("file", path=str(path), tokenizer=TokenizerSpec("byte"))
    prepared = prepare(spec, lambda stage, share: told.append((stage, share)))
    assert prepared.info["bytes"] == sum(len(f"Page {n} tells of rivers and mills.\n") for n in range(600))
    shares = [share for stage, share in told if stage == "Reading the text"]
    assert any(0.05 < share < 0.25 for share in shares) and shares == sorted(shares)


def test_documents_in_an_archive_are_read_too():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("a.txt", "first words\n")
        packed.writestr("b.pdf", pdf([["second words"]]))
        packed.writestr("c.docx", word(lambda made: made.add_paragraph("third words")))
    source = open_file(DataSpec("file", path=str(kept(file.getvalue(), "papers.zip")), text_column="text"))
    assert list(source.documents()) == ["first words\n", "second words\n", "third words\n"]


def test_a_bad_document_in_an_archive_is_named():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("a.txt", "first words\n")
        packed.writestr("papers/b.pdf", pdf([[]]))
    with pytest.raises(PlaygroundError, match=r"papers/b\.pdf in papers\.zip holds no text"):
        kept(file.getvalue(), "papers.zip")


# Written texts

WORDS = "Once upon a time a miller lived by the river, and his three children sang all day.\n"


def test_a_written_text_is_kept_under_its_first_words():
    upload = uploads.write(WORDS)
    assert uploads.is_written(upload.path) and upload.name == "Once upon a time a miller lived by the…"
    assert upload.path.suffix == ".txt" and text_of(upload.path) == WORDS
    assert uploads.write(WORDS).path == upload.path
    assert [each.path for each in uploads.uploads()] == [upload.path]


def test_a_brought_file_is_not_written_until_it_is():
    path = kept(WORDS.encode(), "tale.txt")
    assert not uploads.is_written(path)
    assert kept(WORDS.encode(), "tale") != path  # a mark beside it is no file of another kind
    assert uploads.write(WORDS).path == path and uploads.write(WORDS).name == "tale"


@pytest.mark.parametrize("text", ["", "   \n\n", "too short", "\0" * 500])
def test_too_short_a_text_says_what_to_do(text):
    with pytest.raises(PlaygroundError, match="too short to learn from") as told:
        uploads.write(text)
    assert told.value.hint == "Write or paste more of it." and not uploads.uploads()


def test_too_long_a_text_says_what_to_do():
    with pytest.raises(PlaygroundError, match="the box takes 2,000,000") as told:
        uploads.write("long words " * 200_000)
    assert "bring the file" in told.value.hint


def test_a_written_text_is_cleaned():
    upload = uploads.write("\ufeffa\ud800b\0c\r\nd\re\tf \ud83d\ude00 " + WORDS)
    assert upload.path.read_bytes().decode() == "a\ufffdbc\nd\ne\tf 😀 " + WORDS


def test_names_of_texts_are_short_and_safe():
    assert uploads.title("话说天下大势，分久必合" * 9) == ("话说天下大势，分久必合" * 9)[:40] + "…"
    assert uploads.title('a/b\\c: "d"?\n\n e') == "a b c d e"
    assert uploads.title("...") == "text"
