"""Every test that needs a GPU: those marked `gpu` in tests/unit."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.gpu.rows import Row, Setting, failed

ROOT = Path(__file__).parents[3]
MARK = "mark.gpu"


class Results:
    """Keeps what pytest says of each test."""

    def __init__(self) -> None:
        self.passed, self.skipped = 0, 0
        self.broken: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self.broken.append((report.nodeid, reason(report)))
        elif report.skipped:
            self.skipped += 1
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self.broken.append((report.nodeid, reason(report)))


def reason(report) -> str:
    """The last line that says what went wrong."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else str(report.longrepr)).strip().splitlines()[0 if crash else -1]


def marked() -> list[str]:
    """The files with such tests: the others may import what is not installed here."""
    return sorted(
        str(path) for path in (ROOT / "tests" / "unit").rglob("test_*.py") if MARK in path.read_text(encoding="utf-8")
    )


def measure(setting: Setting) -> Iterator[Row]:
    """File by file, so that a run that is stopped has told of those before."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # whatever else is installed here: ours need none
    passed = skipped = 0
    broken: list[str] = []
    for path in marked():
        results, where = Results(), str(Path(path).relative_to(ROOT))
        options = ["-m", "gpu", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "--durations=5", "-W", "ignore"]
        status = pytest.main([*options, path], plugins=[results])
        for name, why in results.broken:
            broken.append(name)
            yield failed(name.removeprefix("tests/unit/"), why)
        if status not in (0, 1, 5) and not results.broken:
            broken.append(where)
            yield failed(where, f"pytest ended with status {int(status)}")
        told = f"{results.passed} passed, {len(results.broken)} failed, {results.skipped} skipped"
        yield Row(where, told)
        passed, skipped = passed + results.passed, skipped + results.skipped
    told = f"{passed} passed, {len(broken)} failed, {skipped} skipped"
    figures = {"passed": passed, "failed": broken, "skipped": skipped}
    yield Row(
        "all tests that need a GPU",
        told,
        "all pass",
        setting.goal(not broken and passed and not skipped),
        figures=figures,
    )
