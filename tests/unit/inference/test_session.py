"""Which device runs, and what is said where it cannot."""

import importlib.machinery
import sys
import types

import pytest

from playground import gallery
from playground.core.errors import PlaygroundError
from playground.inference import session
from playground.inference.session import open_session, running_on
from playground.onnx_export.export import export


def with_cuda(monkeypatch, tmp_path, runtime: str, torch: str | None) -> None:
    """A machine with a driver, an ONNX Runtime for one CUDA and a torch that brings another."""
    info = types.ModuleType("onnxruntime.capi.build_and_package_info")
    info.cuda_version = runtime
    monkeypatch.setitem(sys.modules, info.__name__, info)
    said = f"from typing import Optional\ncuda: Optional[str] = {torch!r}\ncuda_major = 99\n"
    (tmp_path / "version.py").write_text(said)
    found = importlib.machinery.ModuleSpec("torch", None, is_package=True)
    found.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda name: found)
    monkeypatch.setattr(session, "has_cuda", lambda: True)
    monkeypatch.setattr(session, "preload", lambda: None)


@pytest.mark.parametrize(("runtime", "torch"), [("13.0", "13.0"), ("13.0", "13.2"), ("13.0", None), ("", "13.0")])
def test_cuda_of_one_major_version_is_used(runtime, torch, monkeypatch, tmp_path):
    with_cuda(monkeypatch, tmp_path, runtime, torch)
    assert session.cuda_mismatch() is None
    assert session.wanted("auto")[0] == session.wanted("cuda")[0] == "CUDAExecutionProvider"
    assert session.wanted("cpu") == ["CPUExecutionProvider"]


def test_different_major_versions_are_said(monkeypatch, tmp_path):
    with_cuda(monkeypatch, tmp_path, "13.0", "12.8")
    message, hint = session.cuda_mismatch()
    assert "built for CUDA 13.0" in message and "brings CUDA 12.8" in message and "CUDA 13" in hint
    with pytest.raises(PlaygroundError, match="brings CUDA 12.8"):
        session.wanted("cuda")
    assert "CPUExecutionProvider" in session.wanted("auto"), "it still runs"


def test_what_is_installed_here_matches():
    assert session.cuda_mismatch() is None


def test_without_a_gpu_cuda_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(session, "has_cuda", lambda: False)
    with pytest.raises(PlaygroundError, match="no CUDA GPU"):
        session.wanted("cuda")
    assert session.wanted("auto") == ["CPUExecutionProvider"]


def test_libraries_are_found_in_wheels_that_lie_elsewhere(monkeypatch, tmp_path):
    """ONNX Runtime looks beside itself alone; torch's wheels may be in another folder of the path."""
    for folder in ("cu13/lib", "cudnn/lib"):
        (tmp_path / "nvidia" / folder).mkdir(parents=True)
    found = importlib.machinery.ModuleSpec("nvidia", None, is_package=True)
    found.submodule_search_locations = [str(tmp_path / "empty"), str(tmp_path / "nvidia")]
    asked = []
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda name: found if name == "nvidia" else None)
    monkeypatch.setattr(session, "runtime_cuda", lambda: "13.0")
    monkeypatch.setattr(session.ort, "preload_dlls", lambda **how: print("noise") or asked.append(how))
    session.preload.__wrapped__()
    assert [(how["cuda"], how["cudnn"], how["directory"]) for how in asked] == [
        (True, False, str(tmp_path / "nvidia" / "cu13/lib")),
        (False, True, str(tmp_path / "nvidia" / "cudnn/lib")),
    ]


def test_nothing_is_printed_of_libraries_that_are_missing(monkeypatch, capsys):
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda name: None)
    session.preload.__wrapped__()
    assert capsys.readouterr().out == ""


def test_an_opset_of_the_future_is_said(tmp_path):
    import onnx

    made = export(gallery.get("induction"))
    model = onnx.load(str(made.folder / "model.onnx"))
    model.opset_import[0].version = 999
    onnx.save(model, str(tmp_path / "future.onnx"))
    with pytest.raises(PlaygroundError, match="newer ONNX"):
        open_session(tmp_path / "future.onnx")


def test_which_provider_runs_is_what_the_session_says():
    made = export(gallery.get("induction"))
    session = open_session(made.folder / "model.onnx", "cpu")
    assert running_on(session) == "CPU" == session.get_providers()[0].removesuffix("ExecutionProvider")
