"""From a run to a folder: proved, whole or not there at all, and usable without us."""

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

from models.factory import build
from models.spec import ModelSpec
from playground import gallery
from playground.core.errors import PlaygroundError
from playground.inference.engine import Engine
from playground.inference.onnx_encoder import OnnxEncoder
from playground.inference.sampling import Sampling
from playground.inference.session import open_session, running_on
from playground.onnx_export import export as exporting
from playground.onnx_export import precision_eval, verify
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.engine_comparison import EngineComparison, same_share
from playground.onnx_export.export import export, exported
from playground.onnx_export.fused import can_be_fused
from playground.onnx_export.inspect_graph import describe
from playground.onnx_export.verify import longest
from playground.text.tokenizers import Tokenizer
from playground.training import worker
from playground.training.load_model import load_model

RUNS = ("bible-decoder", "bible-lstm", "bible-encoder", "dates", "induction")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))


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


@pytest.mark.parametrize(
    ("name", "prompt", "says"),
    [
        ("bible-decoder", "And God said", "And God said"),
        ("bible-lstm", "And God said", "And God said"),
        ("dates", "May 3, 2001 =", "2001-05-03"),
        ("bible-encoder", "In the beginning God <mask> the heaven", "In the beginning God "),
    ],
)
def test_the_example_needs_nothing_of_ours(name, prompt, says):
    made = export(gallery.get(name))
    done = subprocess.run(
        [sys.executable, "-I", str(made.folder / "example.py"), prompt],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    assert says in done.stdout and "<mask>" not in done.stdout


def test_the_engine_writes_what_torch_writes_past_the_end_of_its_context():
    run = gallery.get("bible-decoder")
    made, model, tokenizer = export(run), load_model(run), Tokenizer.load(run.tokenizer_path)
    from models.generate import decode

    prompt = tokenizer.encode("In the beginning")
    theirs = list(decode(model, prompt, 150))
    engine = Engine(made.folder)
    assert engine.fused and engine.provider in ("CPU", "CUDA")
    assert list(engine.generate(prompt, 150)) == theirs
    assert list(engine.generate(prompt, 150, stop=(theirs[10],))) == theirs[: theirs.index(theirs[10])]
    asked = iter([False] * 5 + [True] * 99)
    assert list(engine.generate(prompt, 150, cancelled=lambda: next(asked))) == theirs[:5]
    warm = Sampling(temperature=0.8, top_k=20)
    assert list(engine.generate(prompt, 20, warm, seed=3)) == list(engine.generate(prompt, 20, warm, seed=3))


SHORT = {
    "decoder": {"training": {}},
    "decoder, rotary": {"model": {"position": "rotary"}},
    "decoder, alibi": {"model": {"position": "alibi"}},
    "decoder, narrow heads": {"model": {"n_heads": 4}},
    "encoder": {"model": {"architecture": "encoder"}, "training": {"objective": "mlm"}},
    "encoder-decoder": {
        "model": {"architecture": "encoder-decoder"},
        "training": {"objective": "seq2seq"},
        "data": {"corpus": "task-reversal", "max_bytes": None},
    },
    "lstm": {"model": {"architecture": "lstm"}},
    "gru, both ways": {"model": {"architecture": "gru", "bidirectional": True}, "training": {"objective": "mlm"}},
}


@pytest.mark.parametrize("context", [1, 2, 3])
@pytest.mark.parametrize("kind", SHORT)
def test_the_shortest_contexts_are_exported_proved_and_written_with(kind, context, new_run):
    """A context of 1 makes a bigram model, which is where many a course begins."""
    from models.generate import decode

    chosen = SHORT[kind]
    run = new_run(**chosen | {"model": {**chosen.get("model", {}), "context_length": context}})
    folder = run.path / "exported"
    assert worker.run(run) == "finished"
    report = export(run, precisions=["fp32", "int8"], to=folder).report
    assert report["worst"] < 1e-3 and report["greedy"] in (None, 64)
    model, rng = load_model(run), np.random.default_rng(0)
    ids = rng.integers(4, model.spec.vocab_size, 5).tolist()
    if model.spec.is_causal:
        source = ids[:context] if model.spec.architecture == "encoder-decoder" else None
        theirs = list(decode(model, ids, 12, source_ids=source))
        engine = Engine(folder)
        assert list(engine.generate(ids, 12, source_ids=source)) == theirs
        likeliest = lambda logits: int(logits.argmax())
        assert list(engine.generate(ids, 12, source_ids=source, choose=likeliest)) == theirs
        windows = rng.integers(4, model.spec.vocab_size, (2, max(2, context)))
        costs = None if source else precision_eval.costs_of(folder, ["fp32", "int8"], windows)
    else:
        assert OnnxEncoder(folder).logits([ids[:context]]).shape == (1, context, model.spec.vocab_size)
        costs = precision_eval.costs_of(folder, ["fp32", "int8"], rng.integers(4, model.spec.vocab_size, (2, context)))
    assert costs is None or (np.isfinite(costs["fp32"].loss) and costs["fp32"].speed > 0)


@pytest.mark.parametrize("context", [1, 3, 16])
def test_the_example_writes_past_the_end_of_the_context_what_torch_writes(context, new_run):
    from models.generate import decode

    run = new_run(model={"context_length": context})
    assert worker.run(run) == "finished"
    made, model, tokenizer = export(run), load_model(run), Tokenizer.load(run.tokenizer_path)
    done = subprocess.run(
        [sys.executable, "-I", str(made.folder / "example.py"), "The yield"],
        capture_output=True,
        timeout=60,
        cwd="/",
    )
    theirs = list(decode(model, tokenizer.encode("The yield"), 64, stop_ids=(tokenizer.eos_id,)))
    assert done.stdout.decode() == f"The yield{tokenizer.decode(theirs)}\n" and len(theirs) > context, done.stderr


def test_several_texts_at_once_are_what_each_is_alone():
    run = gallery.get("bible-decoder")
    made, tokenizer = export(run), Tokenizer.load(run.tokenizer_path)
    prompts = [tokenizer.encode(text) for text in ("And God said", "The", "Blessed are the poor in")]
    together = Engine(made.folder, batch=3).batched(prompts, 20)
    alone = [list(Engine(made.folder).generate(prompt, 20)) for prompt in prompts]
    assert together == alone


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


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a" + os.urandom(2000)])
def test_a_damaged_file_is_said(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(PlaygroundError, match="model.onnx"):
        open_session(path)
    if content:
        with pytest.raises(PlaygroundError, match="no ONNX model"):
            describe(path)


def test_an_opset_of_the_future_is_said(tmp_path):
    import onnx

    made = export(gallery.get("induction"))
    model = onnx.load(str(made.folder / "model.onnx"))
    model.opset_import[0].version = 999
    onnx.save(model, str(tmp_path / "future.onnx"))
    with pytest.raises(PlaygroundError, match="newer ONNX"):
        open_session(tmp_path / "future.onnx")


def test_missing_things_are_said(tmp_path, monkeypatch):
    with pytest.raises(PlaygroundError, match="no ONNX model at"):
        open_session(tmp_path / "nothing.onnx")
    with pytest.raises(PlaygroundError, match="no export"):
        Engine(tmp_path)
    with pytest.raises(PlaygroundError, match="no precision"):
        export(gallery.get("induction"), precisions=("fp7",))


def test_without_its_tokenizer_a_run_is_not_exported(new_run):
    from playground.training import worker

    folder = new_run(training={"steps": 2})
    worker.run(folder)
    folder.tokenizer_path.unlink()
    with pytest.raises(PlaygroundError, match="no tokenizer"):
        export(folder)


def test_the_race_is_run_by_all_and_they_agree():
    run = gallery.get("bible-decoder")
    made = export(run, precisions=("fp32", "int8"))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    race = EngineComparison(load_model(run), made.folder, tokenizer.encode("And God said"), 24).start()
    race.wait()
    assert race.is_over
    names = [runner.name for runner in race.runners]
    assert names == ["torch, no cache", "torch, cache", "ONNX fp32", "ONNX int8"]
    assert all(runner.tokens == 24 and runner.speed > 0 and not runner.error for runner in race.runners)
    assert same_share(race.runners[2], race.runners[1]) == 1.0 and same_share(race.runners[0], race.runners[1]) == 1.0


def test_an_encoder_decoder_races_with_its_answer():
    run = gallery.get("dates")
    made = export(run, precisions=("fp32", "fp16"))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    race = EngineComparison(
        load_model(run), made.folder, [tokenizer.bos_id], 10, tokenizer.encode("May 3, 2001 =")
    ).start()
    race.wait()
    for runner in race.runners:
        assert runner.error == "" and runner.provider in ("CPU", "CUDA")
        assert tokenizer.decode(runner.text) == "2001-05-03", runner.name


@pytest.mark.parametrize("name", ["bible-decoder", "bible-lstm"])
def test_what_shrinking_costs(name):
    import torch
    import torch.nn.functional as F

    from playground.onnx_export.precision_eval import costs_of

    run = gallery.get(name)
    made = export(run, precisions=("fp32", "fp16", "int8", "int4"))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    ids = tokenizer.encode(
        "And God said, Let there be light: and there was light. And God saw the light, that it was good"
    )[:24]
    windows = np.array([ids, ids[::-1]])
    with torch.no_grad():
        logits = load_model(run)(torch.from_numpy(windows[:, :-1])).logits
        right = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(windows[:, 1:]).flatten()).item()
    costs = costs_of(made.folder, ("fp32", "fp16", "int8", "int4"), windows)
    assert costs["fp32"].loss == pytest.approx(right, abs=1e-4)
    assert (costs["fp32"].best == logits.argmax(-1).numpy()).all()
    assert abs(costs["fp16"].loss - right) < 0.01 and costs["fp16"].agreement(costs["fp32"]) == 1.0
    assert abs(costs["int8"].loss - right) < 0.1 and abs(costs["int4"].loss - right) < 0.6
    assert 0.5 < costs["int4"].agreement(costs["fp32"]) <= 1.0
    assert all(cost.speed > 0 for cost in costs.values())


def test_what_shrinking_costs_a_model_that_fills_in():
    import torch
    import torch.nn.functional as F

    from playground.onnx_export.precision_eval import costs_of

    run = gallery.get("bible-encoder")
    made = export(run, precisions=("fp32", "int8", "int4"))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    windows = np.array(
        [tokenizer.encode("In the beginning God created the heaven and the earth, and it was good")[:14]]
    )
    hidden = windows.copy()
    hidden[:, [3, 10]] = tokenizer.mask_id
    with torch.no_grad():
        logits = load_model(run)(torch.from_numpy(hidden)).logits[0, [3, 10]]
    right = F.cross_entropy(logits, torch.from_numpy(windows[0, [3, 10]])).item()
    costs = costs_of(made.folder, ("fp32", "int8", "int4"), windows)
    assert costs["fp32"].loss == pytest.approx(right, abs=1e-4)
    assert abs(costs["int8"].loss - right) < 0.3


def test_what_shrinking_costs_a_model_that_answers():
    """Against torch, answer by answer; one of the answers is wrong on purpose."""
    import torch
    import torch.nn.functional as F

    from playground.onnx_export.precision_eval import costs_of_answers

    run = gallery.get("dates")
    made, model, tokenizer = (
        export(run, precisions=("fp32", "int8")),
        load_model(run),
        Tokenizer.load(run.tokenizer_path),
    )
    asked = [("May 3, 2001 =", "2001-05-03"), ("May 3, 2001 =", "1999-05-03")]
    pairs = [(tokenizer.encode(text), [*tokenizer.encode(answer), tokenizer.eos_id]) for text, answer in asked]
    losses = []
    for source, answer in pairs:
        with torch.no_grad():
            logits = model(torch.tensor([[tokenizer.bos_id, *answer[:-1]]]), source_ids=torch.tensor([source])).logits[
                0
            ]
        losses.append(F.cross_entropy(logits, torch.tensor(answer), reduction="none"))
    costs = costs_of_answers(made.folder, ("fp32", "int8"), pairs)
    assert costs["fp32"].loss == pytest.approx(torch.cat(losses).mean().item(), abs=1e-3)
    assert costs["fp32"].right == 0.5 and costs["fp32"].speed > 0
    assert costs["int8"].agreement(costs["fp32"]) > 0.8


def test_which_provider_runs_is_what_the_session_says():
    made = export(gallery.get("induction"))
    session = open_session(made.folder / "model.onnx", "cpu")
    assert running_on(session) == "CPU" == session.get_providers()[0].removesuffix("ExecutionProvider")


@pytest.mark.gpu
def test_on_a_gpu_the_engine_says_the_same_but_for_rounding():
    run = gallery.get("bible-decoder")
    made, tokenizer = export(run), Tokenizer.load(run.tokenizer_path)
    prompt = tokenizer.encode("And God said")
    on_gpu, on_cpu = Engine(made.folder, device="cuda"), Engine(made.folder, device="cpu")
    assert on_gpu.provider == "CUDA"
    ours, theirs = on_gpu.model.prefill([prompt]), on_cpu.model.prefill([prompt])
    assert np.abs(ours - theirs).max() < 5e-3 * np.abs(theirs).max(), "attention has 16 bits there"
    for token in list(on_cpu.generate(prompt, 20)):
        ours, theirs = on_gpu.model.decode_step(np.array([token])), on_cpu.model.decode_step(np.array([token]))
        assert np.abs(ours - theirs).max() < 5e-3 * np.abs(theirs).max()


def test_greedy_equality_is_counted_from_the_first_token():
    checks = [verify.Check("x", 1e-6, 1.0)]
    with pytest.raises(PlaygroundError, match="from token 4 on"):
        verify.disagree(checks, 3)
    verify.disagree(checks, verify.GREEDY)


@pytest.mark.parametrize(
    ("name", "text"), [("bible-decoder", "And God said"), ("bible-lstm", "And"), ("dates", "3 May 2020 =")]
)
def test_the_generate_page_writes_the_same_with_it(name, text):
    from playground.generation.jobs import GenerationJob
    from playground.generation.predict import open_prompt
    from playground.generation.torch_model import TorchGenerator

    run = gallery.get(name)
    engine, model = Engine(export(run).folder), load_model(run)
    tokenizer = Tokenizer.load(run.tokenizer_path)
    prompt = open_prompt(model.spec, tokenizer, text, name == "dates")
    writers = (TorchGenerator(model), engine.clone(), engine.clone())
    jobs = [GenerationJob(used, tokenizer, prompt, Sampling(0.7), 90, seed=4) for used in writers]
    for job in jobs:
        job.start()  # the two on the engine at the same time: each has a cache of its own
    for job in jobs:
        job.wait()
        assert not job.error
    torch_, *ours = jobs
    for job in ours:
        assert [token.id for token in job.tokens] == [token.id for token in torch_.tokens] and job.ended == torch_.ended
        np.testing.assert_allclose(
            [token.probability for token in job.tokens], [token.probability for token in torch_.tokens], atol=1e-4
        )


def test_hidden_words_are_filled_in_the_same_with_it():
    from playground.generation.fill_mask import fill
    from playground.generation.torch_model import TorchEncoder
    from playground.inference.onnx_encoder import OnnxEncoder

    run = gallery.get("bible-encoder")
    engine, tokenizer = OnnxEncoder(export(run).folder), Tokenizer.load(run.tokenizer_path)
    ids = tokenizer.encode("In the beginning God created the heaven")
    plain = fill(TorchEncoder(load_model(run), tokenizer.pad_id), ids, {3, 5}, tokenizer.mask_id)
    ours = fill(engine, ids, {3, 5}, tokenizer.mask_id)
    for a, b in zip(plain, ours, strict=True):
        assert (a.place, a.rank, [i for i, _ in a.likeliest]) == (b.place, b.rank, [i for i, _ in b.likeliest])
        assert a.hidden == pytest.approx(b.hidden, abs=1e-5)


@pytest.mark.parametrize("name", ["bible-decoder", "bible-encoder", "dates"])
def test_attention_weights_are_those_of_torch(name):
    from playground.inference.attention_session import AttentionSession
    from playground.inspection.attention import attention_weights

    run = gallery.get(name)
    with pytest.raises(PlaygroundError, match="no attention weights"):
        AttentionSession(export(run).folder)
    made = export(run, attentions=True)
    assert made.report["attentions"]
    ids, source = [5, 9, 30, 7, 9], [8, 4, 17] if name == "dates" else None
    ours, right = AttentionSession(made.folder).weights(ids, source), attention_weights(load_model(run), ids, source)
    assert ours.keys() == right.keys()
    for part, weights in right.items():
        assert weights.shape == ours[part].shape and np.abs(weights - ours[part]).max() < 1e-5, part


def test_the_graph_is_read_with_shapes_and_sizes():
    made = export(gallery.get("bible-decoder"))
    found = describe(made.folder / "model.onnx")
    assert ("input_ids", "input", "int64", "[batch, sequence]") in found["ends"]
    matmul = next(node for node in found["nodes"] if node[1] == "MatMul" and "up.weight" in node[4])
    up = load_model(gallery.get("bible-decoder")).layers[0].mlp.up.weight
    assert matmul[3].endswith(f", {up.shape[0]}]") and "[batch, " in matmul[3]
    assert f"[{up.shape[1]}, {up.shape[0]}] float, {up.numel() * 4:,} bytes" in matmul[4]
    assert dict(found["operators"])["Softmax"] == 4


def test_what_is_compared_fits_in_memory_whatever_the_context_is_said_to_be():
    small = {"vocab_size": 300, "d_model": 32, "n_layers": 2, "n_heads": 2, "position": "alibi"}
    assert longest(ModelSpec("decoder", **{**small, "context_length": 512})) == 512
    assert (
        longest(ModelSpec("decoder", 50257, d_model=768, n_layers=12, n_heads=12, context_length=1024)) == 1024
    )  # GPT-2
    long = {"context_length": 10**8}
    for changes in (long, {"context_length": 8192, "n_heads": 32}, {**long, "vocab_size": 10**5}):
        spec = ModelSpec("decoder", **{**small, **changes})
        n = longest(spec)
        assert n >= 4 and 8 * n * max(spec.n_heads * n, spec.vocab_size) <= 2**29


def test_a_cache_that_is_far_larger_than_its_model_is_not_made_at_once():
    deep = ModelSpec(
        "decoder", 300, d_model=16, n_layers=1000, n_heads=1, d_mlp=1, context_length=8192, position="alibi"
    )
    assert not can_be_fused(deep)
    assert can_be_fused(deep.replace(n_layers=8)) and can_be_fused(deep.replace(context_length=512))


@pytest.mark.parametrize("architecture", ["decoder", "lstm"])
def test_a_vocabulary_of_one_token_is_compared_too(tmp_path, architecture):
    spec = ModelSpec(architecture, 1, d_model=32, n_layers=1, n_heads=2, context_length=8)
    model = build(spec).eval()
    for name, graph in exporting.graphs_of(model, state_of(model)).items():
        onnx.save(graph, tmp_path / f"{name}.onnx")
    assert all(check.agrees for check in verify.check_graph(model, tmp_path))
