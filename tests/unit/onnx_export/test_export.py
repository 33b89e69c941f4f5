"""From a run to a folder: proved, whole or not there at all, and usable without us."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file

from playground import gallery
from playground.core.errors import PlaygroundError
from playground.inference.engine import Engine
from playground.inference.session import open_session
from playground.onnx_export import export as exporting
from playground.onnx_export.export import export, exported
from playground.text.tokenizers import Tokenizer
from playground.training import worker
from playground.training.load_model import load_model

RUNS = ("bible-decoder", "bible-lstm", "bible-encoder", "dates", "dates-lstm", "induction")


@pytest.mark.parametrize("name", RUNS)
def test_every_shipped_run_exports_with_its_proof(name):
    told = []
    made = export(gallery.get(name), progress=lambda what, share: told.append(share))
    report = made.report
    assert told == sorted(told) and told[-1] == 1.0
    assert report["worst"] < 1e-3 and len(report["checks"]) >= 4
    assert report["greedy"] in (None, 64)
    assert exported(gallery.get(name)).report == report
    assert not [path for path in made.folder.parent.iterdir() if path.name.startswith(".")], "nothing lies about"
    configs = ("playground.json", "tokenizer.json", "config.json", "report.json")
    for file in (*configs, "model.safetensors", "README.md", "curve.svg"):
        assert (made.folder / file).stat().st_size > 50, file


def test_weights_under_known_names_are_the_same_model():
    run = gallery.get("bible-decoder")
    made, model = export(run), load_model(run)
    weights, config = (
        load_file(made.folder / "model.safetensors"),
        json.loads((made.folder / "config.json").read_text()),
    )
    assert config["architectures"] == ["LlamaForCausalLM"] and config["num_hidden_layers"] == 4
    q = model.layers[2].attention.qkv.weight.detach().numpy()[:128]
    assert (weights["model.layers.2.self_attn.q_proj.weight"] == q).all()
    assert "LlamaForCausalLM" in (made.folder / "README.md").read_text()


def test_a_graph_that_does_not_agree_is_not_offered(monkeypatch):
    run = gallery.get("induction")
    before = export(run)
    real = exporting.decoder

    def wrong(spec, weights, attentions=False):
        weights = {**weights, "norm.weight": weights["norm.weight"] * 1.01}
        return real(spec, weights, attentions)

    monkeypatch.setattr(exporting, "decoder", wrong)
    with pytest.raises(PlaygroundError, match="does not agree"):
        export(run)
    assert exported(run).report == before.report, "what was there before stays"
    assert not [path for path in before.folder.parent.iterdir() if path.name.startswith(".")]


def test_stopped_half_way_leaves_nothing():
    run = gallery.get("induction")
    with pytest.raises(PlaygroundError, match="stopped"):
        export(run, cancelled=lambda: True)
    assert exported(run) is None


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(PlaygroundError, match="holds other files"):
        export(gallery.get("induction"), to=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_full_disk_and_no_permission_are_said(monkeypatch, tmp_path):
    import errno

    for code, says in ((errno.ENOSPC, "The disk is full"), (errno.EACCES, "Writing is not allowed")):

        def fails(*_, code=code):
            raise OSError(code, os.strerror(code), str(tmp_path))

        with monkeypatch.context() as patched:
            patched.setattr(exporting.quantize, "save", fails)
            with pytest.raises(PlaygroundError, match=says):
                export(gallery.get("induction"))
    assert exported(gallery.get("induction")) is None


def test_missing_things_are_said(tmp_path, monkeypatch):
    with pytest.raises(PlaygroundError, match="no ONNX model at"):
        open_session(tmp_path / "nothing.onnx")
    with pytest.raises(PlaygroundError, match="no export"):
        Engine(tmp_path)
    with pytest.raises(PlaygroundError, match="no precision"):
        export(gallery.get("induction"), precisions=("fp7",))


def test_without_its_tokenizer_a_run_is_not_exported(new_run):

    folder = new_run(training={"steps": 2})
    worker.run(folder)
    folder.tokenizer_path.unlink()
    with pytest.raises(PlaygroundError, match="no tokenizer"):
        export(folder)


@pytest.mark.gpu
def test_on_a_gpu_the_engine_says_the_same_but_for_rounding():
    run = gallery.get("bible-decoder")
    made, tokenizer = export(run), Tokenizer.load(run.tokenizer_path)
    prompt = tokenizer.encode("And God said")
    on_gpu, on_cpu = Engine(made.folder, device="cuda"), Engine(made.folder, device="cpu")
    assert on_gpu.provider == "CUDA"
    written = list(on_cpu.generate(prompt, 20))
    ours, theirs = on_gpu.model.prefill([prompt]), on_cpu.model.prefill([prompt])
    assert np.abs(ours - theirs).max() < 5e-3 * np.abs(theirs).max(), "attention has 16 bits there"
    for token in written:
        ours, theirs = on_gpu.model.decode_step(np.array([token])), on_cpu.model.decode_step(np.array([token]))
        assert np.abs(ours - theirs).max() < 5e-3 * np.abs(theirs).max()
