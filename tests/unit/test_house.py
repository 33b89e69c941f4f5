"""The order of the source: no circle of imports, and no name that the field's own word has replaced."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.source_tree import ROOT, circles, import_graph, modules, names

FILES = modules()

# Names that were replaced, by the packages in which they must not come back ("" is everywhere). What is an ordinary word
# of English elsewhere is listed for the packages in which it had a meaning of its own. Old keys and flags that are still
# read stand in tables, as strings: no name is read here from a string.
REPLACED = {
    "": "Places situate View view_of source_real crossed lens Tap tap Reader Writer Portable Watcher About waves Question "
    "UNASKED IGNORE one_at_a_time Told rank_places Spread refocused rival adapting Desk spool shrink Thinned calmer "
    "lighter leads final_lr early_stop memory_span",
    "models": "key_places real turns mix read",
    "playground.onnx_export": "key_places real turns",
    "playground.inference": "Decoder Recurrent twin room read step most",
    "playground.generation": "twin room most n_tokens real",
    "playground.inspection": "asked told apart flat moved harm",
    "playground.finetune": "moved",
    "playground.training": "race hide accumulate",
    "playground.training.trainer": "hear",
    "playground.training.worker": "told",
    "playground.labelled": "UNREAD",
    "playground.pages": "harm first_words",
    "playground.ui.language": "told",
    "playground.runs": "pace hide",
    "playground.runs.config": "hold accumulate",
    "playground.runs.finetuning": "matrices share",
    "playground.cli": "n_tokens",
}
MODULES = (
    "models: build decode output cache trace",
    "playground.text: letters spool foreign packages",
    "playground.onnx_export: transformers cells shrink quality reading cache",
    "playground.runs: lines pace",
    "playground.training: race adapting tuning",
    "playground.finetune: moved refocused",
    "playground.generation: blanks",
    "playground.pages.home: opening",
    "playground.ui: opening plan watch steer plan_links workbench text_choice text_links text_views onnx_views",
    "playground.inference: about",
)


def test_no_modules_import_each_other_in_a_circle():
    found = [" -> ".join([*circle, circle[0]]) for circle in circles(import_graph(FILES))]
    assert not found, "\n".join(found)


def test_a_circle_is_found_wherever_its_imports_stand(tmp_path):
    """One module imports the next in a function, by a relative name, for types alone, by a package, in two circles."""
    sources = {
        "house/__init__.py": "",
        "house/hall.py": "def later():\n    from house import stairs\n",
        "house/stairs.py": "from . import attic\n",
        "house/attic.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .hall import later\n",
        "house/cellar/__init__.py": "from house.cellar.wine import bottle\n",
        "house/cellar/wine.py": "def open():\n    import house.cellar\n",
        "house/garden.py": "from house import hall\nfrom house.cellar import bottle\n",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    graph = import_graph(modules(tmp_path, ("house",)))
    assert graph["house.garden"] == {"house.hall", "house.cellar"}
    found = circles(graph)
    assert sorted(map(sorted, found)) == [
        ["house.attic", "house.hall", "house.stairs"],
        ["house.cellar", "house.cellar.wine"],
    ]
    for circle in found:
        assert all(after in graph[module] for module, after in zip(circle, [*circle[1:], circle[0]], strict=True))
    (tmp_path / "house/attic.py").write_text("")
    (tmp_path / "house/cellar/wine.py").write_text("bottle = 1\n")
    assert circles(import_graph(modules(tmp_path, ("house",)))) == []


@given(st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 9), max_size=4)))
def test_there_are_circles_where_networkx_finds_one(edges):
    graph = {node: {other for other in edges.get(node, ()) if other != node} for node in range(10)}
    theirs, found = networkx.DiGraph(graph), circles(graph)
    assert bool(found) != networkx.is_directed_acyclic_graph(theirs)
    theirs.remove_edges_from((circle[-1], circle[0]) for circle in found)
    assert networkx.is_directed_acyclic_graph(theirs)


def _left(files: dict[str, Path]) -> list[str]:
    """Where a replaced name is used, as ``file:line: name``."""
    found = []
    for module, path in files.items():
        inside = [package for package in REPLACED if not package or f"{module}.".startswith(f"{package}.")]
        gone = {name for package in inside for name in REPLACED[package].split()}
        found += [f"{module}:{line}: {name}" for name, line in names(path).items() if name in gone]
    return found


def test_no_replaced_name_is_used():
    found = _left(FILES)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "class View: pass",
        "def view_of(): pass",
        "def f(source_real): pass",
        "model.lens(x)",
        "f(crossed=1)",
        "from x import Tap as T",
        "from x.shrink import y",
        "waves = 3",
        "async def spool(): pass",
    ],
)
def test_a_replaced_name_is_found_however_it_is_given(tmp_path, line):
    path = tmp_path / "planted.py"
    path.write_text(f'"""View, Tap and harm in prose are words."""\nold = "final_lr"\n{line}\n')
    assert len(_left({"playground.planted": path})) == 1


def test_modules_keep_their_new_names():
    old = {
        f"{package}.{name}" for package, _, names in (row.partition(": ") for row in MODULES) for name in names.split()
    }
    assert not old & set(FILES)


TESTED = ("inference", "onnx_export", "training")
"""Packages in which every module has a test file of its own name."""


def _untested(files: Iterable[str], tests: Path) -> list[str]:
    """The modules of `TESTED` without a test file at the same place, as ``package/test_module.py``."""
    inside = [parts for parts in (module.split(".") for module in files) if parts[0] == "playground" and len(parts) > 2]
    wanted = [f"{'/'.join(parts[1:-1])}/test_{parts[-1]}.py" for parts in inside if parts[1] in TESTED]
    return [name for name in wanted if not (tests / name).is_file()]


def test_every_module_that_computes_has_a_test_file_of_its_name():
    assert not _untested(FILES, Path(__file__).parent)


def test_a_module_without_a_test_is_found(tmp_path):
    (tmp_path / "inference").mkdir()
    (tmp_path / "inference" / "test_engine.py").touch()
    files = (
        "playground.inference.engine",
        "playground.inference.sampling",
        "playground.inference",
        "playground.cli.main",
    )
    assert _untested(files, tmp_path) == ["inference/test_sampling.py"]


@pytest.mark.skipif(not ((ROOT / ".git").exists() and shutil.which("git")), reason="needs a git checkout")
def test_git_ignores_no_file_of_the_source():
    """A pattern meant for the root, such as ``build/``, must not leave a page out of every clone."""
    files = [path for part in ("models", "playground", "tests") for path in (ROOT / part).rglob("*") if path.is_file()]
    names = "\n".join(str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts)
    asked = ["git", "check-ignore", "--no-index", "--stdin"]
    ignored = subprocess.run(asked, cwd=ROOT, input=names, capture_output=True, text=True)
    assert ignored.returncode == 1, ignored.stdout + ignored.stderr
