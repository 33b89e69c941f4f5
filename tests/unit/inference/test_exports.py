"""The export of a run: found, believed only where its report is whole, and opened by what it is."""

import json
import os

import pytest

from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.inference import session
from playground.inference.engine import Engine
from playground.inference.exports import REPORT, exported, exported_at, fitting, folder_of, is_report, opened
from playground.inference.onnx_encoder import OnnxEncoder
from playground.runs import gallery
from tests.support.made_exports import SMALL, lively, write_export

WHOLE = {
    "step": 12,
    "worst": 1e-6,
    "seconds": 0.5,
    "greedy": 64,
    "loaders": "",
    "checks": [{"what": "batch 1", "error": 1e-6, "scale": 1.0}],
    "sizes": {"fp32": 100},
}


def write_report(run, report) -> None:
    folder_of(run).mkdir(parents=True, exist_ok=True)
    (folder_of(run) / REPORT).write_text(report if isinstance(report, str) else json.dumps(report))


def test_an_export_lies_in_its_run_or_in_the_home_for_a_shipped_one(new_run, tmp_path):
    run = new_run()
    assert folder_of(run).parent == run.path
    assert folder_of(gallery.get("dates")) == tmp_path / "exports" / "dates"


def test_an_export_is_found_and_is_of_one_step(new_run):
    run = new_run()
    assert exported(run) is None, "nothing was exported"
    write_report(run, WHOLE)
    found = exported(run)
    assert found is not None and found.report["worst"] == 1e-6 and found.folder == folder_of(run)
    assert exported_at(run, 12) == found and exported_at(run, 11) is None


@pytest.mark.parametrize("report", ["", "{", "[]", "[" * 100_000, "null", "{}", '"text"'])
def test_a_damaged_report_is_no_export(report, new_run):
    run = new_run()
    write_report(run, report)
    assert exported(run) is None


@pytest.mark.parametrize("name", WHOLE)
def test_a_report_without_a_part_is_none(name):
    assert is_report(WHOLE) and not is_report({key: value for key, value in WHOLE.items() if key != name})


@pytest.mark.parametrize(
    "changes",
    [
        {"step": 1.5},
        {"step": True},
        {"worst": float("nan")},
        {"worst": 10**400},
        {"greedy": "all"},
        {"loaders": None},
        {"checks": [{"what": 1, "error": 0.0, "scale": 1.0}]},
        {"checks": [[]]},
        {"sizes": {}},
        {"sizes": {"fp32": 0}},
        {"sizes": {"fp32": 10, "int8": "5"}},
        {"shrunk": {"int8": {"error": 1}}},
        {"task": 3},
    ],
    ids=repr,
)
def test_a_report_with_another_type_is_none(changes):
    assert not is_report(WHOLE | changes)


def test_an_export_that_came_with_a_run_from_elsewhere_is_not_run(new_run):
    """It lay there before the run was taken over; one that is made afterwards is this machine's own."""
    run = new_run()
    write_report(run, WHOLE)
    about = json.loads((run.path / "run.json").read_text())
    made = (folder_of(run) / REPORT).stat().st_mtime
    (run.path / "run.json").write_text(json.dumps(about | {"imported": made + 10}))
    assert exported(run) is None
    os.utime(folder_of(run) / REPORT, (made + 20, made + 20))
    assert exported(run) is not None


def test_a_model_that_generates_and_one_that_reads_are_opened_as_what_they_are(tmp_path, monkeypatch):
    for architecture, kind in (("decoder", Engine), ("lstm", Engine), ("encoder", OnnxEncoder)):
        folder = write_export(lively(ModelSpec(architecture, **SMALL)), tmp_path / architecture)
        assert type(opened(folder, "cpu")) is kind
    monkeypatch.setattr(session, "has_cuda", lambda: False)
    with pytest.raises(PlaygroundError, match="no CUDA GPU"):
        opened(tmp_path / "decoder", "cuda")


def test_files_of_two_models_are_told_by_the_folders_name(tmp_path):
    said = r"The files of mixed do not fit together \(KeyError: 'logits'\)"
    with pytest.raises(PlaygroundError, match=said), fitting(tmp_path / "mixed"):
        raise KeyError("logits")
    with pytest.raises(PlaygroundError, match="as it was"), fitting(tmp_path):
        raise PlaygroundError("as it was")
