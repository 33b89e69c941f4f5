"""The page that runs a model in a browser, and what is put into it."""

from html import unescape
from importlib import metadata
from pathlib import Path

import pytest

from playground.core.errors import PlaygroundError
from playground.onnx_export import demo
from playground.onnx_export.export import export
from playground.runs.store import RunStore


def test_a_page_with_onnx_runtime_in_it_has_its_licence(tmp_path, monkeypatch):
    kept = demo._kept()
    kept.mkdir(parents=True)
    (kept / demo.SCRIPT).write_text("export const env = {};")
    (kept / demo.WASM).write_bytes(b"\0asm")
    run = RunStore().get("bible-decoder")
    page = unescape((export(run, offline_demo=True).folder / "demo.html").read_text(encoding="utf-8"))
    theirs = Path(metadata.distribution("numpy").locate_file("onnxruntime"))
    for name in ("LICENSE", "ThirdPartyNotices.txt"):
        assert (theirs / name).read_text(encoding="utf-8", errors="replace") in page, name
    assert "Permission is hereby granted, free of charge" in page, "the MIT licence"
    page = (export(run).folder / "demo.html").read_text(encoding="utf-8")
    assert "Permission is hereby granted" not in page and "{{" not in page.split("<script")[0]
    monkeypatch.setattr(demo, "LICENCES", ("no such file",))
    with pytest.raises(PlaygroundError, match="licence of ONNX Runtime is missing"):
        demo.licence()
