"""The writing page on an exported run: ONNX Runtime does all of it, and PyTorch is not even imported."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from playground import gallery
from playground.core.errors import PlaygroundError
from playground.generation.torch_model import TorchGenerator
from playground.inference.engine import Engine
from playground.inference.exports import exported
from playground.inference.open_model import BIASED, VARYING_SHAPES
from playground.inference.sampling import Sampling
from playground.inference.session import NOT_ON_GPU
from playground.inference.standard_decoder import StandardDecoder
from playground.onnx_export.export import export
from playground.pages.generate import page
from playground.ui import cached, language
from tests.support.gpu_double import gpu  # noqa: F401
from tests.support.made_exports import home_with_exports

RUNS = ("bible-decoder", "bible-lstm", "dates", "bible-encoder")
SCRIPT = '''
import json, sys
from streamlit.testing.v1 import AppTest

def draw_and_act():
    """The page, then what a person does on it; what is said of each act is kept."""
    import streamlit as st
    from playground.pages.generate import page as generate
    from playground.ui.frame import frame

    frame("generate")
    generate.page()
    for asked in st.session_state.pop("acts", []):
        session = st.session_state[generate.SESSION][1]
        generate.do(session, {"sampling": generate.usual(session.answers), **asked})
        if session.job:
            session.job.wait()
            session.collect()
        st.session_state["said"].append(generate.status(session))

run, acts = sys.argv[1], json.loads(sys.argv[2])
app = AppTest.from_function(draw_and_act, default_timeout=60)
app.query_params["run"] = run
app.session_state["acts"], app.session_state["said"] = acts, []
for _ in range(2):  # the second time, with what was done
    app.run()
    assert not app.exception and not app.error, (app.exception, app.error)
tokens = []
if acts:
    tokens = [[token.id, token.probability, token.drawn] for token in app.session_state["generate.session"][1].tokens]
captions = [str(caption.value) for caption in app.caption]
print(json.dumps({"said": app.session_state["said"], "tokens": tokens, "captions": captions, "torch": "torch" in sys.modules}))
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home in which the shipped runs are exported."""
    return home_with_exports(tmp_path_factory.mktemp("home"), RUNS)


def drawn(home: Path, run: str, *acts: dict) -> dict:
    """What the page says, in a process of its own."""
    (home / "page.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(home / "page.py"), run, json.dumps(acts)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PLAYGROUND_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("run", ["bible-decoder", "bible-lstm", "dates"])
def test_writing_and_branching_need_no_pytorch(home, tmp_path, run):
    acts = [
        {"kind": "write", "n": 12},
        {"kind": "pick", "position": 4, "token": 9},
        {"kind": "undo"},
        {"kind": "write", "n": 5},
    ]
    greedy = {"sampling": {"temperature": 0.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0}}
    acts = [act | greedy for act in acts]
    ours, theirs = drawn(home, run, *acts), drawn(tmp_path, run, *acts)
    assert not ours["torch"] and "by ONNX Runtime on the CPU." in ours["said"][0]
    assert theirs["torch"] and "by PyTorch on the CPU with one thread." in theirs["said"][0]
    assert [token[0] for token in ours["tokens"]] == [token[0] for token in theirs["tokens"]]
    for (_, p, after), (_, expected, expected_after) in zip(ours["tokens"], theirs["tokens"], strict=True):
        assert p == pytest.approx(expected, abs=1e-4) and after == expected_after


def test_beam_search_fetches_pytorch_and_says_so(home):
    made = drawn(home, "bible-decoder", {"kind": "beam", "n": 4, "width": 2}, {"kind": "take", "index": 0})
    assert made["torch"] and "by PyTorch on the CPU with one thread. Click a text" in made["said"][0]


def test_hidden_words_are_filled_without_pytorch(home):
    made = drawn(home, "bible-encoder")
    assert not made["torch"] and "Filled in by ONNX Runtime on the CPU." in made["captions"]


def test_hidden_words_are_filled_by_pytorch_where_nothing_is_exported(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    app = open_page("generate", run="bible-encoder")
    assert "Filled in by PyTorch on the CPU with one thread." in [caption.value for caption in app.caption]


def writer_of(app):
    return app.session_state["generate.session"][1].model


def test_an_export_is_taken_up_when_it_is_there(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    app = open_page("generate", run="bible-lstm")
    assert isinstance(writer_of(app), TorchGenerator)
    before = app.session_state["generate.session"][1].tokens
    made = export(gallery.get("bible-lstm"))
    app.run()
    assert isinstance(writer_of(app), Engine) and app.session_state["generate.session"][1].tokens == before
    shutil.rmtree(made.folder)
    app.run()
    assert isinstance(writer_of(app), TorchGenerator)


def test_a_damaged_export_is_left_to_pytorch(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    export(gallery.get("bible-lstm"))
    file = exported(gallery.get("bible-lstm")).folder / "model.onnx"
    file.write_bytes(file.read_bytes()[:3000])
    assert isinstance(writer_of(open_page("generate", run="bible-lstm")), TorchGenerator)


@pytest.mark.parametrize("report", ["[]", '{"step": "x", "sizes": 3}', None])
def test_a_damaged_report_is_no_export(open_page, home, tmp_path, monkeypatch, report):
    """None: the right step and nothing else."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    shutil.copytree(home / "exports" / "bible-lstm", tmp_path / "exports" / "bible-lstm")
    run = gallery.get("bible-lstm")
    text = report or json.dumps({"step": run.checkpoints()[-1], "attentions": True})
    (tmp_path / "exports" / "bible-lstm" / "report.json").write_text(text)
    app = open_page("generate", run="bible-lstm")
    assert not app.exception and isinstance(writer_of(app), TorchGenerator)
    app = open_page("export", run="bible-lstm")
    assert not app.exception and not app.error and any("Not exported yet" in each.value for each in app.markdown)


def test_files_of_different_models_are_left_to_pytorch(open_page, home, tmp_path, monkeypatch):
    """As when two exports were copied over each other."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    folder = tmp_path / "exports" / "bible-decoder"
    shutil.copytree(home / "exports" / "bible-decoder", folder)
    shutil.copy(home / "exports" / "bible-lstm" / "model.onnx", folder / "fused.fp32.onnx")
    cached._engine.clear()
    app = open_page("generate", run="bible-decoder")
    assert not app.exception and isinstance(writer_of(app), TorchGenerator)


def test_an_export_of_another_step_is_left_alone(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    export(gallery.get("induction"), step=500)
    assert isinstance(writer_of(open_page("generate", run="induction", step="800")), TorchGenerator)
    assert isinstance(writer_of(open_page("generate", run="induction", step="500")), Engine)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (SimpleNamespace(provider="CUDA", precision="fp16"), "ONNX Runtime on CUDA (fp16)"),
        (SimpleNamespace(provider="CUDA", precision="fp16", uncaptured_reason=""), "ONNX Runtime on CUDA (fp16)"),
        (
            SimpleNamespace(provider="CUDA", precision="fp32", uncaptured_reason=VARYING_SHAPES),
            "ONNX Runtime on CUDA (fp32; no CUDA graph: every source has a shape of its own)",
        ),
        (
            SimpleNamespace(provider="CUDA", precision="fp32", uncaptured_reason="x" * 300),
            f"ONNX Runtime on CUDA (fp32; no CUDA graph: {'x' * 79}…)",
        ),
        (SimpleNamespace(provider="CPU", precision="fp32", uncaptured_reason=NOT_ON_GPU), "ONNX Runtime on the CPU"),
        (SimpleNamespace(provider="CPU", precision="fp32"), "ONNX Runtime on the CPU"),
        (SimpleNamespace(provider="CPU"), "PyTorch on the CPU with one thread"),
    ],
)
def test_what_ran_is_said_plainly(model, said):
    assert page.ran_by(model) == said


@pytest.mark.parametrize("why", [VARYING_SHAPES, BIASED, StandardDecoder.uncaptured_reason])
def test_why_there_is_no_cuda_graph_is_said_in_chinese(why, monkeypatch):
    monkeypatch.setattr(language, "language", lambda: "zh")
    said = page.ran_by(SimpleNamespace(provider="CUDA", precision="fp16", uncaptured_reason=why))
    assert "没有使用 CUDA 图：" in said and why not in said


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("bible-decoder", "CUDA (fp16)"),
        ("bible-lstm", "CUDA (fp32)"),
        ("dates", "CUDA (fp16; no CUDA graph: every source has a shape of its own)"),
    ],
)
def test_on_a_gpu_it_says_so(open_page, home, monkeypatch, request, run, said):
    monkeypatch.setenv("PLAYGROUND_HOME", str(home))
    request.getfixturevalue("gpu")
    cached._engine.clear()
    app = open_page("generate", run=run)
    session = app.session_state["generate.session"][1]
    session.write(Sampling(0.5), 8, seed=0, stop_at_end=False).wait()
    app.run()
    assert not app.exception and not session.job.error
    assert (
        f"{len(session.job.tokens)} tokens at {session.job.speed:,.0f} tokens/s, by ONNX Runtime on {said}."
        in page.status(session)
    )
    cached._engine.clear()


def test_weights_that_cannot_be_read_are_a_sentence(open_page, home, monkeypatch):
    """Beam search needs the checkpoint, which an export can do without."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(home))

    def load():
        raise PlaygroundError("The weights cannot be used.", "Choose another checkpoint.")

    app = open_page("generate", run="bible-lstm")
    session = app.session_state["generate.session"][1]
    session._load = load
    session.search(4, 2).wait()
    app.run()
    assert "The weights cannot be used" in app.error[0].value and not app.exception
