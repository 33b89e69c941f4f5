"""README, docs/ and CONTRIBUTING name what is there: files, commands, links, and the symbols of a file."""

import dataclasses
import re
import shlex
from pathlib import Path

import pytest

from models.spec import ModelSpec
from playground.cli.main import parser
from playground.runs.config import TrainingSpec
from playground.text.spec import DataSpec

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PATH = re.compile(r"`((?:app|models|playground|tests|docs)(?:/[\w./-]*|\.py))`")
TOP_LEVEL = {"app.py", "README.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "pyproject.toml", "constraints.txt"}
TOP_LEVEL |= {"docs", "models", "playground", "tests"}
STANDS_FOR = re.compile(r"…|\[|<|\bRUN\b|\bNAME\b|\bFILE\b|\bFOLDER\b|\bP\b")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def commands(text: str) -> list[str]:
    """Each ``python -m playground …`` of a page, with the lines that a backslash joins."""
    joined = text.replace("\\\n", " ")
    found = re.findall(r"(?:python3?|lm-playground) -m playground ([^`\n]*)", joined)
    return [command.split("  #")[0].split(" && ")[0].strip() for command in found]


@each_page
def test_every_path_is_there(page: Path) -> None:
    missing = [path for path in PATH.findall(page.read_text()) if not (ROOT / path).exists()]
    assert not missing


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@each_page
def test_every_command_is_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    specs = {"model": ModelSpec, "training": TrainingSpec, "data": DataSpec}
    known = {f"{group}.{field.name}" for group, spec in specs.items() for field in dataclasses.fields(spec)}
    refused = []
    for command in commands(page.read_text()):
        if not command or STANDS_FOR.search(command):
            continue
        try:
            options = parser().parse_args(shlex.split(command))
            settings = [setting.split("=")[0] for setting in getattr(options, "set", [])]
            refused += [(command, name) for name in settings if name not in known]
        except SystemExit:
            refused.append((command, capsys.readouterr().err.splitlines()[-1]))
    assert not refused


@each_page
def test_names_in_brackets_stand_in_their_file(page: Path) -> None:
    """`file.py` (`Name`, `name`), and the columns "module" and "function" of a table."""
    text = page.read_text()
    named = re.findall(r"`((?:[\w]+/[\w/]+|app)\.py|pyproject\.toml)` \(((?:`\w+`(?:, )?)+)\)", text)
    named += re.findall(r"^\| \d+ \| `([\w/]+\.py)` \| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    missing = [
        (file, name)
        for file, names in named
        for name in re.findall(r"`(\w+)`", names)
        if (ROOT / file).exists()  # else the test of paths says so
        and not re.search(rf"\b{name}\b", (ROOT / file).read_text())
    ]
    assert not missing


def test_the_readme_is_short_and_names_every_package() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 130
    packages = {path.parent.name for path in (ROOT / "playground").glob("*/__init__.py")}
    assert not [name for name in packages if f"\n  {name}/" not in text]


def test_contributing_tells_of_twenty_changes() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert text.index("## To change X, open Y") < text.index("## Vocabulary")
    table = text.split("## To change X, open Y")[1].split("## Vocabulary")[0]
    assert len([line for line in table.splitlines() if line.startswith("| ")]) - 1 >= 20


def test_the_top_level_holds_nothing_else() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("a checkout is needed to know which files belong to the project")
    kept = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    made = {"build", *(path.name for path in ROOT.glob("*.egg-info"))}
    assert kept - made <= TOP_LEVEL
