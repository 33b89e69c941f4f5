"""`bench gpu` without a GPU: what it says, how parts are timed, stopped, skipped and kept, and a rehearsal of the quick ones."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from playground.cli import main as command
from tests.benchmarks.gpu import bench, card
from tests.benchmarks.gpu.report import Part, Report
from tests.benchmarks.gpu.rows import Row, Setting, attempt, failed

ROOT = Path(__file__).parents[3]
FAKES = {
    "quick": """
def measure(setting):
    print('no row')
    yield Row('a', '1 s', '< 2 s', True, figures={'left': setting.left()})""",
    "slow": """
import time
def measure(setting):
    yield Row('first', 'there')
    time.sleep(600)
    yield Row('second', 'never')""",
    "broken": """
def measure(setting):
    yield Row('first', 'there')
    raise ValueError('went wrong\\nFor debugging consider this and that')""",
    "lacking": """
import charset_normalizer_that_is_not_there
def measure(setting):
    yield Row('never', '')""",
    "mistaken": """
import playground.that_is_not_there
def measure(setting):
    yield Row('never', '')""",
    "killed": """
import os
def measure(setting):
    yield Row('first', 'there')
    os.kill(os.getpid(), 9)""",
    "orphan": """
import subprocess
def measure(setting):
    left = subprocess.Popen(['sleep', '600'], start_new_session=True)
    yield Row('first', 'there', figures={'left': left.pid})""",
}


@pytest.fixture
def run_fake(tmp_path, monkeypatch):
    """``run_fake(name, limit)``: a made-up part as a real one is run; the part and the report."""
    package = tmp_path / "fakes"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in FAKES.items():
        (package / f"{name}.py").write_text(f"from tests.benchmarks.gpu.rows import Row\n{text}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(bench, "PACKAGE", "fakes")
    report = Report(tmp_path / "gpu.json", rehearsal=True)
    return lambda name, limit=20.0: (bench.run_part(name, limit, report, report.save), report)


def at_the_command_line(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "playground", "bench", "gpu", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_a_sentence_and_exits_2():
    done = at_the_command_line()
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines()[1:] == [card.NO_GPU]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gpu", "start"], "runs alone"),
        (["start", "--rehearse"], "belong to one benchmark"),
        (["gpu", "--budget", "0"], "too little"),
        (["gpu", "--json", "/nowhere/at/all.json"], "no folder"),
        (["gpu", "--parts", "tests,decode"], "no part decode"),
        (["gpu", "--json", "/tmp"], "/tmp is a folder"),
        (["gpu", "--json", "/"], "/ is a folder"),
        (["gpu", "--json", "gpu.md"], "what the table is written to"),
        (["gpu", "--json", "taken.json"], "taken.md is a folder"),
        (["gpu", "--parts", ","], "names no part"),
        (["gpu", "--parts", ""], "names no part"),
        (["start", "--parts", ""], "belong to one benchmark"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_measured(
    arguments, says, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.md").mkdir()
    monkeypatch.setattr(bench, "run_part", lambda *_: pytest.fail("a part was run"))
    assert command(["bench", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_part_tells_its_rows_and_nothing_else(run_fake):
    part, report = run_fake("quick")
    assert part.state == "done" and [row.what for row in part.rows] == ["a"] and part.log == ""
    assert 10 < part.rows[0].figures["left"] < 20, "it knows when to stop by itself"
    assert report.ended_well()


def test_a_part_is_stopped_at_its_time_and_leaves_what_it_has(run_fake):
    part, report = run_fake("slow", 8.0)
    assert part.state == "stopped"
    assert [(row.what, row.state) for row in part.rows] == [("first", ""), ("slow", "failed")]
    assert json.loads(report.path.read_text())["parts"][0]["rows"][0]["measured"] == "there"
    assert not report.ended_well()


@pytest.mark.parametrize(
    ("name", "says"), [("broken", "ValueError: went wrong"), ("killed", "signal 9"), ("mistaken", "No module")]
)
def test_a_part_that_fails_is_a_row_that_says_why(run_fake, name, says):
    part, _ = run_fake(name)
    assert part.state == "failed" and says in part.rows[-1].measured and part.rows[-1].state == "failed"


def test_a_part_without_its_package_is_skipped_by_name(run_fake):
    part, report = run_fake("lacking")
    assert part.state == "skipped" and "charset_normalizer_that_is_not_there is not installed" in part.rows[0].measured
    assert report.ended_well(), "what is skipped is not missed"


def test_a_process_left_behind_does_not_hold_the_rest_up(run_fake):
    part, _ = run_fake("orphan", 120.0)
    os.kill(part.rows[0].figures["left"], signal.SIGKILL)  # it lives: nobody has waited for it
    assert part.state == "done"


def test_time_that_a_part_leaves_goes_to_those_after_it(monkeypatch, tmp_path, capsys):
    limits, now = {}, [0.0]
    takes = {bench.CARD: 10, "training": 5, "decoding": 50, "resume": 1}

    def run(name, limit, report, ended):
        limits[name] = limit
        now[0] += takes[name]
        report.machine["gpu"] = True
        return Part(name, "done")

    monkeypatch.setattr(bench, "run_part", run)
    monkeypatch.setattr(bench.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(bench.signal, "signal", lambda *_: None)
    monkeypatch.setattr(bench, "PARTS", {"training": 100, "decoding": 50, "resume": 50})
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    assert bench.main(["resume", "training", "decoding"], 210) == 0
    assert limits == {"card": 90, "training": 100, "decoding": 97.5, "resume": 145}
    assert "unknown machine" in capsys.readouterr().out


def test_the_table_says_what_was_met_missed_and_failed(tmp_path):
    rows = [Row("fast | slow", "1 s", "< 2 s", True), Row("b", "3 s", "< 2 s", False)]
    rows.append(failed("c", RuntimeError("what it was\nand advice")))
    report = Report(
        tmp_path / "t.json", machine={"name": "NVIDIA X", "nvidia_smi": {"driver_version": "580"}, "cuda": "13.0"}
    )
    report.parts.append(Part("p", "done", rows=rows))
    report.save()
    table = report.table()
    assert table.startswith("NVIDIA X, driver 580, CUDA 13.0, torch ?")
    assert "| p | fast \\| slow | 1 s | < 2 s | met |" in table and "| p | b | 3 s | < 2 s | MISSED |" in table
    assert "| p | c | failed: RuntimeError: what it was |  | FAILED |" in table
    assert json.loads(report.path.read_text())["table"] == table
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_one_measurement_that_fails_does_not_end_the_others():
    def lacking():
        import a_module_that_is_not_there  # noqa: F401

    def half():
        yield Row("x", "1")
        raise RuntimeError("CUDA error: out of memory")

    assert [row.measured for row in attempt("a", half)] == ["1", "failed: RuntimeError: CUDA error: out of memory"]
    assert [row.state for row in attempt("b", lacking)] == ["skipped"]


def test_of_a_rehearsal_no_goal_of_speed_is_met_or_missed():
    assert Setting().goal(True) is None and Setting("cuda", False).goal(False) is False


def test_what_nvidia_smi_says_is_read_and_its_absence_forgiven(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert card.nvidia_smi() == {}
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '580.159.04, 1980, 1980, 641.20, 700.00, 45'\n")
    tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    assert card.nvidia_smi()["driver_version"] == "580.159.04" and card.nvidia_smi()["power.draw"] == "641.20"


def test_a_rehearsal_runs_the_same_parts_on_the_cpu(tmp_path):
    """The quick parts; `bench gpu --rehearse` runs all in about a minute."""
    path = tmp_path / "gpu.json"
    arguments = ["--rehearse", "--parts", "decoding,resume", "--budget", "200", "--json", str(path)]
    done = at_the_command_line(*arguments)
    said = json.loads(path.read_text())
    broken = [row for part in said["parts"] for row in part["rows"] if row["state"] or row["met"] is False]
    assert not broken and done.returncode == 0, done.stderr
    assert [part["name"] for part in said["parts"]] == ["card", "decoding", "resume"]
    assert said["table"].startswith("**Rehearsal on the CPU: figures mean nothing.**") and said["table"] in done.stdout
    assert path.with_suffix(".md").read_text().strip() == said["table"]
    whats = " ".join(row["what"] for part in said["parts"] for row in part["rows"])
    for expected in (
        "this engine, int4",
        "torch, compiled, static cache",
        "torch, no cache",
        "LSTM: weights",
        "Muon: weights",
    ):
        assert expected in whats


def test_benchmarks_read_the_texts_that_they_make(monkeypatch):
    """They are the owner's own programs: the command line's guard would keep them from their own files."""
    import os

    from playground.cli import main
    from playground.core.paths import GUARDED
    from tests.benchmarks import table

    guarded = []
    monkeypatch.setenv(GUARDED, "1")
    monkeypatch.setattr(table, "main", lambda rows: guarded.append(GUARDED in os.environ) or 0)
    assert main(["bench", "memory"]) == 0 and guarded == [False]
