"""Finds the sentences of the source, adds those that are new to the ``.po`` files, and compiles them: ``make words``.

A sentence is the first argument of ``t("…")`` and of ``Message("…")``, and the message and the hint of an error. What is
looked up by a variable (``t(TITLES[name])``) is written into a ``.po`` file by hand. Babel is needed here and in the tests
alone: the app reads ``messages.mo`` with Python's own gettext.
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[3]
FOLDER = Path(__file__).parent
HEADER = """\
msgid ""
msgstr ""
"Language: zh\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""
ERRORS = {"UserError", "PlaygroundError", "SpecError", "Cancelled", "Diverged", "Stopped"}


def sources() -> list[Path]:
    """The files of the app that hold sentences; the command line speaks English alone."""
    found = [ROOT / "app.py", *sorted((ROOT / "models").rglob("*.py")), *sorted((ROOT / "playground").rglob("*.py"))]
    return [path for path in found if not path.is_relative_to(ROOT / "playground/cli")]


def sentences(path: Path) -> list[tuple[str, int]]:
    """Every sentence of a file that is translated, and its line; of a conditional expression both."""
    return [each for argument in _arguments(path) for each in _literals(argument)]


def finished(path: Path) -> list[int]:
    """The lines of a file where a sentence is an f-string, which cannot be looked up."""
    return [part.lineno for argument in _arguments(path) for part in ast.walk(argument) if _is_finished(part)]


def _is_finished(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) and any(isinstance(part, ast.Constant) for part in node.values)


def _arguments(path: Path) -> list[ast.expr]:
    """What is given to ``t``, to ``Message`` and to errors as a sentence."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    errors = ERRORS | {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") in ERRORS for base in node.bases)
    }
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", "")
            found += node.args if name in errors else node.args[:1] if name in {"t", "Message"} else []
    return found


def _literals(node: ast.expr) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip():
        yield node.value, node.lineno


def area(path: Path) -> str:
    """Which ``.po`` file a new sentence of a source goes into."""
    name = path.relative_to(ROOT).as_posix()
    if match := re.match(r"playground/pages/(\w+)/", name):
        return match[1]
    return "frame" if name.startswith("playground/ui/") or name == "app.py" else "core"


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="zh")


def areas(language: str) -> list[Path]:
    return sorted((FOLDER / language / "LC_MESSAGES").glob("*.po"))


def translations(language: str) -> dict[str, str]:
    """All that is translated: ``{"English": "中文"}``."""
    messages = (message for path in areas(language) for message in read(path) if message.id)
    return {str(message.id): str(message.string) for message in messages if message.string and not message.fuzzy}


def compiled(language: str) -> bytes:
    """The bytes of ``messages.mo``, the same for the same translations."""
    then = datetime(2000, 1, 1, tzinfo=UTC)
    whole = Catalog(locale=language, creation_date=then, revision_date=then)
    for english, translated in translations(language).items():
        whole.add(english, translated)
    file = io.BytesIO()
    write_mo(file, whole)
    return file.getvalue()


def write(path: Path, catalog: Catalog) -> None:
    """Writes a ``.po`` file: one line for each text, so that changes of several people merge; no dates, no places."""
    for message in catalog:
        message.flags &= {"fuzzy"}  # Babel takes "5 % of" for a format of C
    file = io.BytesIO()
    write_po(file, catalog, width=0, no_location=True, omit_header=True)
    path.write_text(HEADER + "\n" + file.getvalue().decode().strip() + "\n", encoding="utf-8")


def update(language: str) -> list[str]:
    """Adds new sentences with an empty translation, compiles, and returns the sentences without a translation."""
    known = {str(message.id) for path in areas(language) for message in read(path)}
    for source in sources():
        new = [text for text, _ in sentences(source) if text not in known]
        if new:
            path = FOLDER / language / "LC_MESSAGES" / f"{area(source)}.po"
            catalog = read(path) if path.exists() else Catalog(locale=language)
            for text in dict.fromkeys(new):
                catalog.add(text, "")
            write(path, catalog)
            known |= {*new}
    (FOLDER / language / "LC_MESSAGES" / "messages.mo").write_bytes(compiled(language))
    return [
        f"{path.name}: {message.id!r}"
        for path in areas(language)
        for message in read(path)
        if message.id and not message.string
    ]


if __name__ == "__main__":
    left = update("zh")
    print("\n".join(["No translation yet for", *left]) if left else "Every sentence has its translation.")
    sys.exit(bool(left))
