"""The source of ``models`` and ``playground``, read and not run: who imports whom, and which names are given."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "playground")


def modules(root: Path = ROOT, packages: tuple[str, ...] = PACKAGES) -> dict[str, Path]:
    """The file of each module, by its dotted name; a package's is its ``__init__.py``."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def import_graph(files: dict[str, Path]) -> dict[str, set[str]]:
    """What each of the modules imports of the others, anywhere in its file: inside functions too, and for types alone.

    ``from a import b`` is an import of ``a.b`` where that is a module, else of ``a``.
    """
    return {module: set(_imports(module, path, files)) - {module} for module, path in files.items()}


def _imports(module: str, path: Path, files: dict[str, Path]) -> Iterator[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                yield from [name for name in (f"{origin}.{alias.name}", origin) if name in files][:1]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Circles such that without one edge of each the graph has none: each as its modules, every one importing the next."""
    left, found = {node: set(edges) for node, edges in graph.items()}, []
    while True:
        try:
            graphlib.TopologicalSorter(left).prepare()
        except graphlib.CycleError as error:
            circle = error.args[1][:0:-1]  # graphlib lists every module before the one that imports it, the first twice
            found.append(circle)
            left[circle[-1]].discard(circle[0])
        else:
            return found


def names(path: Path) -> dict[str, int]:
    """Every name in a file: of classes, functions, arguments, variables, attributes and imports; with a line where it stands."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in _names_of(node):
            found.setdefault(name, getattr(node, "lineno", 0))
    return found


def _names_of(node: ast.AST) -> list[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
            return [name]
        case ast.keyword(arg=str(name)):
            return [name]
        case ast.ImportFrom(module=str(name)):
            return name.split(".")
        case ast.alias(name=name, asname=other):
            return [*name.split("."), *([other] if other else [])]
    return []
