"""What runs at the command line: the export where the step has one, without importing torch, and what it says of it."""

import csv
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from playground import gallery
from playground.cli import main
from playground.cli.engine import ran_by
from playground.core.errors import PlaygroundError
from playground.finetune.plan import plan
from playground.inference import session
from playground.inference.exports import exported, exported_at, opened
from playground.onnx_export.export import export
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.store import RunStore
from playground.training import worker
from tests.support.gpu_double import gpu  # noqa: F401
from tests.support.made_exports import home_with_exports

ASKED = {
    "bible-decoder": ["--prompt", "And God said", "--max-new-tokens", "40", "--greedy"],
    "bible-lstm": ["--prompt", "And God said", "--max-new-tokens", "40", "--greedy"],
    "dates": ["--prompt", "3 May 2020"],
    "bible-encoder": ["--prompt", "In the<mask> God created the<mask>"],
}
WITHOUT_TORCH = """
import sys
from playground.cli import main
from playground.cli.engine import ran_by
status = main(sys.argv[1:])
assert "torch" not in sys.modules, "PyTorch was imported"
sys.exit(status)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home in which the shipped runs are exported."""
    return home_with_exports(tmp_path_factory.mktemp("home"), ASKED)


@pytest.fixture
def at_home(home, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(home))


def without_torch(home, *arguments: str) -> subprocess.CompletedProcess:
    """A command in a process of its own, which fails where that imports torch."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PLAYGROUND_HOME": str(home), "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    return done


# Writing and filling in


@pytest.mark.parametrize("name", ASKED)
def test_the_export_writes_what_pytorch_writes_and_does_not_import_it(name, home, at_home, capsys):
    ours = without_torch(home, "generate", name, *ASKED[name])
    assert "by ONNX Runtime (CPU)]" in ours.stderr
    assert main(["generate", name, *ASKED[name], "--with", "torch"]) == 0
    theirs = capsys.readouterr()
    assert "by PyTorch (CPU)]" in theirs.err
    assert ours.stdout == theirs.out and len(ours.stdout) > 5


def test_both_draw_the_same_with_a_seed(at_home, capsys):
    texts = []
    for engine in ("onnx", "torch"):
        line = [
            "generate",
            "bible-decoder",
            "--prompt",
            "And",
            "--max-new-tokens",
            "60",
            "--seed",
            "4",
            "--top-k",
            "20",
        ]
        assert main([*line, "--repetition-penalty", "1.2", "--with", engine]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_how_fast_and_by_what_is_said(at_home, capsys):
    assert main(["generate", "bible-lstm", "--prompt", "And", "--max-new-tokens", "20", "--seed", "0"]) == 0
    told = capsys.readouterr().err
    assert told.startswith("[20 tokens, ") and told.endswith(" tokens/s by ONNX Runtime (CPU)]\n")


def test_beam_search_is_pytorchs(at_home, capsys):
    line = ["generate", "bible-decoder", "--prompt", "And", "--max-new-tokens", "5", "--beams", "2"]
    assert main(line) == 0
    assert "[beam search by PyTorch (CPU)]" in capsys.readouterr().err
    assert main([*line, "--with", "onnx"]) == 2
    assert "Beam search needs PyTorch" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["auto", "onnx", "torch"])
def test_what_fills_in_has_no_beams(engine, at_home, capsys):
    assert main(["generate", "bible-encoder", *ASKED["bible-encoder"], "--beams", "3", "--with", engine]) == 2
    told = capsys.readouterr()
    assert "fills in hidden words" in told.err and "Leave out --beams" in told.err and not told.out


def test_why_a_step_is_no_cuda_graph_is_said_on_a_gpu_alone(capsys):
    for provider, why, more in (
        ("CUDA", "every source has a shape of its own", "; no CUDA graph: every source has a shape of its own"),
        ("CUDA", "x" * 300, "; no CUDA graph: " + "x" * 79 + "…"),
        ("CUDA", "", ""),
        ("CPU", "not on a GPU", ""),
    ):
        assert ran_by(SimpleNamespace(ran_by="it", provider=provider, uncaptured_reason=why)) == f"it{more}"
    assert ran_by(SimpleNamespace(ran_by="PyTorch (CUDA)", provider="CUDA")) == "PyTorch (CUDA)"


def test_without_an_export_pytorch_writes_and_onnx_is_refused_with_a_hint(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    line = ["generate", "induction", "--prompt", "a b", "--max-new-tokens", "4"]
    assert main([*line, "--with", "onnx"]) == 2
    told = capsys.readouterr().err
    assert "has no export" in told and "python -m playground export induction" in told
    assert main([*line, "--temperature", "2", "--seed", "3"]) == 0
    assert "by PyTorch (CPU)]" in capsys.readouterr().err


def test_an_export_of_another_step_is_not_used(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    run = gallery.get("induction")
    export(run, step=500)
    assert exported_at(run, 500) and not exported_at(run, 800)
    line = ["generate", "induction", "--prompt", "a b", "--max-new-tokens", "4", "--temperature", "2", "--seed", "3"]
    for step, engine in ((["--step", "500"], "ONNX Runtime"), (["--step", "800"], "PyTorch"), ([], "PyTorch")):
        assert main([*line, *step]) == 0
        assert f"by {engine} (CPU)]" in capsys.readouterr().err
    assert main([*line, "--step", "800", "--with", "onnx"]) == 2
    told = capsys.readouterr().err
    assert "is exported at step 500, not at step 800" in told and "export induction --step 800" in told


@pytest.mark.parametrize("engine", ["auto", "onnx", "torch"])
@pytest.mark.parametrize("is_exported", [True, False])
def test_a_step_that_is_not_there_is_said_before_anything_else(
    engine, is_exported, home, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PLAYGROUND_HOME", str(home if is_exported else tmp_path))
    assert main(["generate", "bible-lstm", "--prompt", "And", "--step", "5", "--with", engine]) == 2
    told = capsys.readouterr().err
    assert "There is no checkpoint of step 5." in told and "There are: " in told and "export" not in told


def test_a_damaged_export_is_said_and_pytorch_writes(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    shutil.copytree(home / "exports" / "bible-decoder", tmp_path / "exports" / "bible-decoder")
    file = exported(gallery.get("bible-decoder")).folder / "fused.fp32.onnx"
    file.write_bytes(file.read_bytes()[:5000])
    line = ["generate", "bible-decoder", "--prompt", "And", "--max-new-tokens", "5", "--seed", "0"]
    assert main(line) == 0
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and "by PyTorch (CPU)]" in told[1]
    assert told[0].startswith("The export cannot be used: fused.fp32.onnx") and "Going on with PyTorch" in told[0]
    assert main([*line, "--with", "onnx"]) == 2
    assert "damaged" in capsys.readouterr().err


DAMAGED_REPORTS = [
    "[]",
    '"nothing"',
    "3",
    "null",
    "{}",
    "[" * 100_000,
    {"step": "x", "sizes": 3},
    {"step": "800"},
    {"step": None},
    {"checks": 3},
    {"checks": [3]},
    {"checks": [{"what": 3, "error": 0.1, "scale": 1}]},
    {"worst": None},
    {"worst": "1"},
    {"seconds": []},
    {"sizes": []},
    {"sizes": {}},
    {"sizes": {"fp32": "big"}},
    {"sizes": {"fp32": 0}},
    {"greedy": "64"},
    {"loaders": 1},
    {"task": 2},
    {"shrunk": None},
    {"shrunk": {"int8": 1}},
    {"worst": float("nan")},
]


@pytest.mark.parametrize("damage", DAMAGED_REPORTS, ids=lambda damage: str(damage)[:40])
def test_what_is_no_report_is_no_export(damage, home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    run, folder = gallery.get("bible-lstm"), tmp_path / "exports" / "bible-lstm"
    shutil.copytree(home / "exports" / "bible-lstm", folder)
    made = exported(run)
    assert made is not None
    text = damage if isinstance(damage, str) else json.dumps(made.report | damage)
    (folder / "report.json").write_text(text)
    assert exported(run) is None and exported_at(run, made.report["step"]) is None
    if text == "[]":
        line = ["generate", "bible-lstm", "--prompt", "And", "--max-new-tokens", "3", "--seed", "0"]
        assert main(line) == 0 and "by PyTorch (CPU)]" in capsys.readouterr().err
        assert main([*line, "--with", "onnx"]) == 2 and "has no export" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage",
    [
        {"n_layers": None},
        {"n_layers": -1},
        {"context_length": "x"},
        {"objective": 3},
        {"ids": [1]},
        {"ids": [0, 1, 2, "x"]},
        {"labels": [3]},
        {"pairs": "no"},
        {"architecture": []},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["dates", "bible-encoder"])
def test_sizes_that_are_none_are_said_and_pytorch_writes(name, damage, home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    shutil.copytree(home / "exports" / name, tmp_path / "exports" / name)
    about = tmp_path / "exports" / name / "playground.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | damage))
    line = ["generate", name, *ASKED[name]]
    assert main(line) == 0
    told = capsys.readouterr().err
    assert f"{name} is no export of the playground. Going on with PyTorch." in told and "by PyTorch (CPU)]" in told
    assert main([*line, "--with", "onnx"]) == 2
    assert "is no export of the playground" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyError("logits"), ValueError("Shapes differ."), RuntimeError(), TypeError("x\ny")])
def test_files_that_do_not_fit_together_are_said_and_pytorch_writes(error, at_home, monkeypatch, capsys):
    def mixed(*_, **__):
        raise error

    monkeypatch.setattr("playground.inference.engine.Engine.__init__", mixed)
    line = ["generate", "bible-lstm", "--prompt", "And", "--max-new-tokens", "3", "--seed", "0"]
    assert main(line) == 0
    told = capsys.readouterr().err
    assert f"The files of bible-lstm do not fit together ({type(error).__name__}: " in told and "Traceback" not in told
    assert len(told.splitlines()) == 2 and "by PyTorch (CPU)]" in told
    assert main([*line, "--with", "onnx"]) == 2
    assert "do not fit together" in capsys.readouterr().err


# Devices


def test_a_gpu_that_is_not_there_is_not_promised(at_home, monkeypatch, capsys):
    monkeypatch.setattr(session, "has_cuda", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    line = ["generate", "bible-decoder", "--prompt", "And", "--max-new-tokens", "5", "--device", "cuda"]
    for engine in ("auto", "onnx", "torch"):
        assert main([*line, "--with", engine]) == 2
        told = capsys.readouterr()
        assert "no CUDA GPU" in told.err and not told.out.strip()


def test_onnx_runtime_that_goes_to_the_cpu_by_itself_is_no_gpu(at_home):
    """It does so where it cannot load CUDA's libraries, and tells only a log."""
    folder = exported(gallery.get("bible-decoder")).folder
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("playground.inference.open_model.wanted", lambda device: ["CPUExecutionProvider"])
        patched.setattr(session, "wanted", lambda device: ["CPUExecutionProvider"])
        assert opened(folder, "auto").provider == "CPU"
        with pytest.raises(PlaygroundError, match="could not start on the CUDA GPU"):
            opened(folder, "cuda")


SAID_ON_A_GPU = {
    "bible-decoder": "ONNX Runtime (CUDA, fp16, CUDA graph)",
    "bible-lstm": "ONNX Runtime (CUDA, fp32, CUDA graph)",
    "dates": "ONNX Runtime (CUDA, fp16",
    "bible-encoder": "ONNX Runtime (CUDA, fp16)",
}


@pytest.mark.parametrize("device", ["auto", "cuda"])
@pytest.mark.parametrize("name", ASKED)
def test_what_runs_on_a_gpu_is_said_in_full(name, device, at_home, gpu, capsys):  # noqa: F811
    texts = []
    for there, said in ((device, SAID_ON_A_GPU[name]), ("cpu", "ONNX Runtime (CPU)")):
        assert main(["generate", name, *ASKED[name], "--device", there]) == 0
        told = capsys.readouterr()
        assert f"by {said}" in told.err
        assert ("no CUDA graph: every source" in told.err) == (name == "dates" and there != "cpu")
        texts.append(told.out if name != "bible-encoder" else told.out.splitlines()[-1])
    assert texts[0] == texts[1]


@pytest.mark.gpu
@pytest.mark.parametrize("name", ASKED)
def test_on_a_gpu_it_says_so(name, home, capsys):
    assert "by ONNX Runtime (CUDA" in without_torch(home, "generate", name, *ASKED[name], "--device", "cuda").stderr


# Labels


@pytest.fixture(scope="module", params=["classify", "tag"])
def labelled(request, tmp_path_factory):
    """A run that tells cats from dogs, or names the words, trained for some steps and exported; and a table of texts."""
    folder, task = tmp_path_factory.mktemp(request.param), request.param
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PLAYGROUND_HOME", str(folder))
        return folder, tuned(folder, task), task


def tuned(folder, task: str) -> str:
    settings = [
        "--set",
        "data.max_bytes=60000",
        "model.d_model=32",
        "model.n_layers=1",
        "model.n_heads=2",
        "model.context_length=24",
        "training.eval_batches=1",
        "training.threads=1",
    ]
    line = ["train", "--preset", "bert-tiny", "--tokenizer", "char", "--steps", "3", "--name", "parent", "--quiet"]
    assert main([*line, *settings]) == 0
    texts = [f"the {pet} ran {n} times" for pet in ("cat", "dog") for n in range(24)]
    data = folder / ("pets.csv" if task == "classify" else "pets.jsonl")
    if task == "classify":
        data.write_text("text,label\n" + "".join(f"{text},{text.split()[1]}s\n" for text in texts))
    else:
        rows = [{"words": text.split(), "tags": ["D", "N", "V", "M", "N"]} for text in texts]
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "texts.csv").write_text("text\n" + "\n".join(texts[:9]) + "\n")
    tuning = FineTuneSpec(task=task, labelled=LabelledSpec("file", path=str(data)))
    run = RunStore().create(
        plan(RunStore().get("parent"), tuning, steps=30, batch_size=8, eval_every=30, sample_every=0)
    )
    assert worker.run(run) == "finished", run.status().message
    export(run)
    return run.id


def table(path) -> list[list[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_labels_are_given_without_pytorch_and_are_the_same(labelled, monkeypatch, tmp_path, capsys):
    home, run, task = labelled
    monkeypatch.setenv("PLAYGROUND_HOME", str(home))
    text = "the dog ran 3 times"
    ours = without_torch(home, "label", run, "--text", text)
    assert ours.stderr == "[labelled by ONNX Runtime (CPU)]\n"
    assert main(["label", run, "--text", text, "--with", "torch"]) == 0
    theirs = capsys.readouterr()
    assert theirs.err == "[labelled by PyTorch (CPU)]\n" and theirs.out == ours.stdout
    assert len(ours.stdout.splitlines()) == (2 if task == "classify" else 5)
    files = [tmp_path / "ours.csv", tmp_path / "theirs.csv"]
    assert "9 rows labelled" in without_torch(home, "label", run, str(home / "texts.csv"), "--to", str(files[0])).stdout
    assert main(["label", run, str(home / "texts.csv"), "--to", str(files[1]), "--with", "torch"]) == 0
    ours, theirs = map(table, files)
    assert [row[:2] for row in ours] == [row[:2] for row in theirs] and len(ours) == 10


def test_labels_on_a_gpu(labelled, monkeypatch, gpu, capsys):  # noqa: F811
    home, run, _ = labelled
    monkeypatch.setenv("PLAYGROUND_HOME", str(home))
    said = []
    for device in ("cuda", "cpu"):
        assert main(["label", run, "--text", "the dog ran 3 times", "--device", device]) == 0
        told = capsys.readouterr()
        said.append([word for word in told.out.split() if "%" not in word])
        assert f"by ONNX Runtime ({'CUDA, fp16' if device == 'cuda' else 'CPU'})]" in told.err
    assert said[0] == said[1]


def test_labels_without_an_export(labelled, monkeypatch, capsys):
    home, run, _ = labelled
    monkeypatch.setenv("PLAYGROUND_HOME", str(home))
    made = exported(RunStore().get(run)).folder
    made.rename(made.with_name("aside"))
    try:
        assert main(["label", run, "--text", "the cat", "--with", "onnx"]) == 2
        assert f"export {run}" in capsys.readouterr().err
        assert main(["label", run, "--text", "the cat"]) == 0
        assert "[labelled by PyTorch (CPU)]" in capsys.readouterr().err
    finally:
        made.with_name("aside").rename(made)
