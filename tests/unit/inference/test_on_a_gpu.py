"""Every engine on a double of a GPU (`gpu_double`): it writes what it writes on a CPU, and what PyTorch writes."""

import json
import threading

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from models.generate import decode
from models.presets import PRESETS
from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.inference import device_sampling, open_model
from playground.inference import session as sessions
from playground.inference.attention_session import AttentionSession
from playground.inference.binding import buffer_of, read_buffer, write_buffer
from playground.inference.device_sampling import DeviceSampler
from playground.inference.engine import Engine
from playground.inference.export_manifest import MANIFEST
from playground.inference.fused_decoder import FusedDecoder
from playground.inference.gpu_thread import is_here, on_gpu
from playground.inference.onnx_encoder import OnnxEncoder
from playground.inference.rewrite_for_cuda import lean
from playground.inference.sampling import Sampling, steps
from playground.inference.session import running_on
from playground.inference.step_names import BLOCK
from tests.support import gpu_double
from tests.support.gpu_double import gpu  # noqa: F401
from tests.support.made_exports import SMALL, lively, write_export
from tests.unit.onnx_export.test_decoder_graphs import DECODERS, PAIRS

PRECISIONS = ("fp32", "kv8", "fp16", "int8", "int4")
HALF = 6e-2  # of the largest logit: what 16 bits may change in a model with large random weights
WRITERS = DECODERS
RECURRENT = {kind: ModelSpec(kind, **SMALL) for kind in ("rnn", "lstm", "gru")}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """``exports(spec, precisions)``: the model and its folder, each made once."""
    made: dict = {}

    def make(spec: ModelSpec, precisions=("fp32",), fused: bool = True, times: float = 4.0):
        key = repr((spec, precisions, fused, times))
        if key not in made:
            model = lively(spec, times)
            made[key] = model, write_export(model, tmp_path_factory.mktemp("export") / "run", precisions, fused)
        return made[key]

    return make


def broken(*sizes):
    raise PlaygroundError("no kernel image")


def prompts(batch: int, n: int, equal: bool = False) -> list[list[int]]:
    rng = np.random.default_rng(batch)
    return [rng.integers(4, 50, n if equal else n - i % 3).tolist() for i in range(batch)]


@torch.no_grad()
def close_to_torch(
    model, writer, texts, tolerance: float, n: int = 8, source=None, told: bool = False
) -> list[list[int]]:
    """Lets a writer go on with texts, choosing itself or (``told``) with other tokens; every logit is PyTorch's after the same
    tokens. What was written.
    """
    texts, rng = [list(text) for text in texts], np.random.default_rng(9)
    said = [[] for _ in texts]
    more = {} if source is None else {"source_ids": torch.tensor([source])}
    writer.start(texts)
    for _ in range(n):
        ours = writer.logits.copy()
        for text, row in zip(texts, ours, strict=True):
            theirs = model(torch.tensor([text]), **more).logits[0, -1].numpy()
            assert np.abs(row - theirs).max() <= tolerance * max(1, np.abs(theirs).max())
        tokens = writer.pick_greedy().copy()
        assert (ours[np.arange(len(texts)), tokens] == ours.max(-1)).all()
        if told:
            tokens = rng.integers(4, 50, len(texts))
        for text, new, token in zip(texts, said, tokens.tolist(), strict=True):
            text.append(token)
            new.append(token)
        writer.advance(tokens if told else None)
    return said


@pytest.mark.parametrize("captured", [True, False], ids=["one CUDA graph", "kernel by kernel"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", WRITERS)
def test_a_decoder_writes_what_torch_writes(name, batch, captured, exports, gpu, monkeypatch):  # noqa: F811
    monkeypatch.setattr(gpu, "refuses_capture", not captured)
    model, folder = exports(WRITERS[name])
    engine = Engine(folder, batch=batch)
    captured = captured and model.spec.position != "alibi"
    assert (engine.provider, engine.precision) == ("CUDA", "fp16")
    assert (not engine.uncaptured_reason) == captured
    assert engine.ran_by == "ONNX Runtime (CUDA, fp16, CUDA graph)" if captured else "ONNX Runtime (CUDA, fp16)"
    said = close_to_torch(model, engine.model, prompts(batch, 9), HALF)
    assert engine.model.session.replays == (8 if captured else 0), "each lap was captured at first, then replayed"
    close_to_torch(model, engine.model, prompts(batch, 9), HALF, told=True)
    again = engine.model.greedy(8, prompts(batch, 9))
    assert again.tolist() == said


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_writes_the_same_on_the_gpu_and_on_the_cpu(precision, batch, exports, gpu):  # noqa: F811
    """But for the rounding of 8 and 16 bits; and to the last digit what a CPU makes of the same rewritten graph."""
    _, folder = exports(WRITERS["llama"], PRECISIONS, times=1.0)
    on_gpu, on_cpu = (Engine(folder, precision, batch, device).model for device in ("cuda", "cpu"))
    graph = lean(onnx.load(folder / f"fused.{precision}.onnx"), half=precision not in ("fp32", "kv8"))
    rewritten = FusedDecoder(graph.SerializeToString(), on_cpu.about, batch, device="cpu")
    assert (on_gpu.provider, on_cpu.provider, rewritten.provider) == ("CUDA", "CPU", "CPU")
    texts = prompts(batch, 7)
    said = [writer.prefill(texts).copy() for writer in (on_gpu, on_cpu, rewritten)]
    for _ in range(12):
        ours, theirs, same = said
        assert np.abs(ours - theirs).max() <= (5e-3 if precision in ("fp32", "fp16") else 5e-2) * np.abs(theirs).max()
        assert np.abs(ours - same).max() <= 1e-5 * np.abs(theirs).max()
        said = [writer.decode_step(theirs.argmax(-1)).copy() for writer in (on_gpu, on_cpu, rewritten)]


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "standard operators"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", PAIRS)
def test_an_encoder_decoder_answers_what_torch_answers(name, batch, fused, exports, gpu):  # noqa: F811
    spec = PAIRS[name]
    model, folder = exports(spec, fused=fused)
    engine = Engine(folder, batch=batch)
    assert engine.provider == "CUDA"
    for source in ([7, 9, 30, 12], [5, 44]):
        engine.model.encode_source(source)
        for told in (False, True):
            close_to_torch(model, engine.model, prompts(batch, 2, equal=True), HALF, source=source, told=told)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int4"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", RECURRENT)
def test_a_recurrent_model_writes_what_it_writes_on_the_cpu(kind, batch, precision, exports, gpu):  # noqa: F811
    model, folder = exports(RECURRENT[kind], ("fp32", "fp16", "int8", "int4"))
    on_gpu, on_cpu = (Engine(folder, precision, batch, device) for device in ("cuda", "cpu"))
    texts = prompts(batch, 6, equal=True)
    said = on_gpu.model.greedy(15, texts)
    assert said.tolist() == on_cpu.model.greedy(15, texts).tolist() and len(set(said[0].tolist())) > 2
    if precision == "fp32":
        close_to_torch(model, on_gpu.model, texts, 1e-4, told=True)


@pytest.mark.parametrize("spec", [WRITERS["gpt2"], WRITERS["llama"], DECODERS["alibi"]], ids=["gpt2", "llama", "alibi"])
def test_standard_graphs_write_what_torch_writes(spec, exports, gpu):  # noqa: F811
    model, folder = exports(spec, fused=False)
    engine = Engine(folder, batch=3)
    assert (engine.provider, engine.precision) == ("CUDA", "fp32")
    close_to_torch(model, engine.model, prompts(3, 9, equal=True), 1e-4)


@pytest.mark.parametrize("kind", ["fused", "lstm", "pairs", "standard", "standard pairs"])
def test_a_card_that_runs_nothing_leaves_the_work_to_the_cpu_and_it_is_said(kind, exports, gpu, monkeypatch):  # noqa: F811
    pairs = PAIRS["as published"]
    spec = {"lstm": RECURRENT["lstm"], "pairs": pairs, "standard pairs": pairs}.get(kind, WRITERS["llama"])
    model, folder = exports(spec, fused="standard" not in kind)
    monkeypatch.setattr(gpu, "breaks", True)
    engine, source = Engine(folder), [7, 9, 30] if "pairs" in kind else None
    if source:
        engine.model.encode_source(source)
    assert (engine.provider, engine.ran_by, engine.precision) == ("CPU", "ONNX Runtime (CPU)", "fp32")
    close_to_torch(model, engine.model, prompts(1, 5), 1e-4, source=source)
    with pytest.raises(PlaygroundError, match="cannot run this model on the GPU: .*no kernel image"):
        Engine(folder, device="cuda")


def test_an_encoder_on_the_gpu_and_a_decoder_on_the_cpu_understand_each_other(exports, gpu, monkeypatch):  # noqa: F811
    model, folder = exports(PAIRS["as published"])
    engine = Engine(folder)
    monkeypatch.setattr(engine.model, "opened", open_model.open_fused(folder / "fused.fp32.onnx", "cpu"))
    engine.model.encode_source([7, 9, 30])
    assert running_on(engine.model.encoder) == "CUDA" and engine.provider == "CPU"
    close_to_torch(model, engine.model, prompts(1, 5), 1e-4, source=[7, 9, 30])


def test_what_reads_is_left_to_the_cpu_too(exports, gpu, monkeypatch):  # noqa: F811
    _, folder = exports(PRESETS["bert-tiny"].spec.replace(**SMALL), ("fp32", "fp16", "int8"))
    right = OnnxEncoder(folder, device="cpu").logits([[5, 9]]), AttentionSession(folder, "cpu").weights([5, 9])
    monkeypatch.setattr(gpu, "breaks", True)
    reader, watcher = OnnxEncoder(folder), AttentionSession(folder)
    assert reader.ran_by == "ONNX Runtime (CPU)" and watcher.provider == "CPU"
    assert (reader.logits([[5, 9]]) == right[0]).all() and (watcher.weights([5, 9])["self"] == right[1]["self"]).all()
    for kind in (OnnxEncoder, AttentionSession):
        with pytest.raises(PlaygroundError, match="no kernel image"):
            kind(folder, device="cuda")


def test_a_card_that_breaks_while_it_writes_is_told_in_a_sentence(exports, gpu, monkeypatch):  # noqa: F811
    _, folder = exports(WRITERS["gpt2"])
    writing = Engine(folder).generate([5, 9], 40)
    next(writing)
    monkeypatch.setattr(gpu, "breaks", True)
    with pytest.raises(PlaygroundError, match="stopped on the GPU: CUDA error 209") as told:
        list(writing)
    assert "choose device 'cpu'" in told.value.hint


def test_several_who_open_a_model_at_once_step_down_once(exports, gpu, monkeypatch):  # noqa: F811
    _, folder = exports(WRITERS["llama"])
    engine = Engine(folder)
    monkeypatch.setattr(gpu, "breaks_capture", True)
    twins: list[Engine] = []
    threads = [threading.Thread(target=lambda: twins.append(engine.clone())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [twin.provider for twin in twins] == ["CUDA"] * 6 and all(
        "capturing" in twin.uncaptured_reason for twin in twins
    )


@pytest.mark.parametrize("change", [{"position": "rotary"}, {"n_layers": 9}, {"n_kv_heads": 1}])
def test_an_export_of_another_model_is_told_in_a_sentence(change, exports):
    """``playground.json`` says other sizes than the graph has."""
    _, folder = exports(WRITERS["gpt2"].replace(n_layers=3))
    about = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(about | {"position": "learned", **change}))
    try:
        with pytest.raises(PlaygroundError, match="another model's|stopped:|takes no"):
            list(Engine(folder).generate([5, 9], 3))
    finally:
        (folder / MANIFEST).write_text(json.dumps(about))


@pytest.mark.parametrize("name", ["gpt2", "llama", "lstm", "pairs"])
def test_a_text_longer_than_the_context_goes_on_as_in_torch(name, exports, gpu):  # noqa: F811
    """Through `Engine.generate`: a full context is halved and read anew, laps and all."""
    spec = {**WRITERS, **RECURRENT, "pairs": PAIRS["as published"]}[name]
    model, folder = exports(spec)
    source = [6, 7, 8] if name == "pairs" else None
    max_new_tokens = 20 if source else 60
    ours = list(Engine(folder, "fp32").generate([5, 9, 11], max_new_tokens, source_ids=source))
    greedy = lambda logits: int(logits.argmax())
    assert ours == list(decode(model, [5, 9, 11], max_new_tokens, greedy, source_ids=source))


@pytest.mark.parametrize("kind", ["gpt2", "alibi", "lstm"])
def test_blocks_of_tokens_are_fetched_at_once_and_are_those_of_single_steps(kind, exports, gpu, monkeypatch):  # noqa: F811
    """More than one block, from a block that is begun in the middle; only the last step of each is waited for."""
    _, folder = exports({**WRITERS, **RECURRENT}[kind].replace(context_length=64))
    writer, texts = Engine(folder, batch=2).model, prompts(2, 5, equal=True)
    writer.start(texts)
    right = [writer.pick_greedy()]
    for _ in range(49):
        writer.advance()
        right.append(writer.pick_greedy())
    right = np.stack(right, axis=1)
    fetched_, numpy = [], gpu_double.Value.numpy
    monkeypatch.setattr(gpu_double.Value, "numpy", lambda self: fetched_.append(self.shape()) or numpy(self))
    writer.start(texts)
    before = gpu.waits
    assert (writer.greedy_block(7) == right[:, :7]).all()
    writer.advance()
    assert (writer.greedy_block(43) == right[:, 7:]).all()
    assert gpu.waits - before == 5, "one block of 6, one step, blocks of 16, 16 and 10"
    assert writer.length.tolist() == [54, 54] and (writer.last == right[:, -1]).all()
    assert len(fetched_) <= 8 and all(np.prod(shape) <= 2 * BLOCK for shape in fetched_)


def test_twins_write_at_the_same_time_without_disturbing_each_other(exports, gpu):  # noqa: F811
    _, folder = exports(WRITERS["gpt2"])
    engine = Engine(folder)
    alone = {first: list(engine.clone().generate([first, 9], 60)) for first in range(4, 12)}
    together: dict[int, list[int]] = {}
    twins = {first: engine.clone() for first in alone}
    write = lambda first: together.__setitem__(first, list(twins[first].generate([first, 9], 60)))
    threads = [threading.Thread(target=write, args=(first,)) for first in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_everybody_works_in_the_one_thread_that_has_the_gpu():
    """Also work that hands over more work; what goes wrong there is raised here."""
    found = []
    inside = lambda: (is_here(), on_gpu(threading.get_ident))
    threads = [threading.Thread(target=lambda: found.append(on_gpu(inside))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1 and found[0][0] and not is_here()
    with pytest.raises(ZeroDivisionError):
        on_gpu(lambda: 1 / 0)


def test_interleaved_twins_do_not_replay_each_others_steps(exports, gpu):  # noqa: F811
    _, folder = exports(WRITERS["gpt2"])
    first = Engine(folder).model
    second = first.clone()
    texts = prompts(1, 6), prompts(2, 5)[:1]
    right = [first.greedy(10, text)[0].tolist() for text in texts]
    said = [
        [int(writer.start(text) or writer.pick_greedy()[0])]
        for writer, text in zip((first, second), texts, strict=True)
    ]
    for _ in range(9):
        for writer, so_far in ((first, said[0]), (second, said[1])):
            writer.advance()
            so_far.append(int(writer.pick_greedy()[0]))
    assert said == right


def test_graphs_are_taken_over_by_the_next_writer(exports, gpu):  # noqa: F811
    """Capturing takes time, and what was captured is never quite given back: as many as ever write at once, and no more."""
    _, folder = exports(WRITERS["gpt2"].replace(vocab_size=5000))
    engine = Engine(folder)
    right = [list(engine.generate([first, 6], 12, Sampling(0.9), seed=3)) for first in range(5, 11)]
    for first, text in zip(range(5, 11), right, strict=True):
        assert list(engine.clone().generate([first, 6], 12, Sampling(0.9), seed=3)) == text
    assert len(engine.model.session.captured) == 4, "two laps of the engine, two of its one twin at a time"
    together = [engine.clone() for _ in range(3)]
    for first, twin in zip(range(5, 8), together, strict=True):
        assert list(twin.generate([first, 6], 12, Sampling(0.9), seed=3)) == right[first - 5]
    assert len(engine.model.session.captured) == 8
    other = Engine(folder, batch=2).model
    assert other.greedy(3, [[5, 6], [7, 8]]).shape == (2, 3), "another batch has laps of its own"


def test_a_person_who_stops_and_begins_anew_gets_the_text_from_its_beginning(exports, gpu):  # noqa: F811
    _, folder = exports(WRITERS["llama"])
    engine = Engine(folder)
    whole = list(engine.generate([5, 9], 12))
    writing = engine.generate([5, 9], 12)
    for _ in range(5):
        next(writing)
    writing.close()
    asked = iter([False, False, True])
    assert list(engine.generate([5, 9], 12, cancelled=lambda: next(asked))) == whole[:2]
    assert list(engine.generate([5, 9], 12)) == whole


def test_tokens_chosen_outside_are_read_and_no_others(exports, gpu):  # noqa: F811
    """A person picks tokens that the model would not: the graph's own choice must not stay."""
    model, folder = exports(WRITERS["gpt2"])
    writer = Engine(folder).model
    text = [5, 9, 7]
    writer.start([text])
    for token in (11, 48, 4, 30, 30, 6):
        ours = writer.decode_step(np.array([token]))
        text.append(token)
        with torch.no_grad():
            theirs = model(torch.tensor([text])).logits[0, -1].numpy()
        assert np.abs(ours[0] - theirs).max() < HALF * np.abs(theirs).max()
    assert writer.length.tolist() == [9]


def test_a_full_cache_is_told_before_anything_is_written(exports, gpu):  # noqa: F811
    _, folder = exports(WRITERS["gpt2"])
    writer = Engine(folder).model
    writer.greedy(1, [[5] * SMALL["context_length"]])
    with pytest.raises(PlaygroundError, match="is full"):
        writer.advance()
    with pytest.raises(PlaygroundError, match="1 to 24 tokens"):
        writer.start([[5] * 25])


@pytest.mark.parametrize("kind", ["refuses_capture", "breaks_capture"])
def test_where_the_provider_refuses_a_graph_it_says_so_and_writes_the_same(kind, exports, gpu, monkeypatch):  # noqa: F811
    _, folder = exports(WRITERS["llama"])
    right = list(Engine(folder).generate([5, 9], 15))
    monkeypatch.setattr(gpu, kind, True)
    engine = Engine(folder)
    assert "captur" in engine.uncaptured_reason and engine.ran_by == "ONNX Runtime (CUDA, fp16)"
    assert list(engine.generate([5, 9], 15)) == right == list(engine.clone().generate([5, 9], 15))


def test_a_driver_without_the_provider_leaves_the_graph_as_it_is_on_the_cpu(exports, gpu, monkeypatch):  # noqa: F811
    """ONNX Runtime lists CUDA and runs on the CPU where it cannot load it."""
    _, folder = exports(WRITERS["gpt2"])
    monkeypatch.setattr(gpu, "get_providers", lambda self: ["CPUExecutionProvider"])
    engine = Engine(folder)
    assert (engine.provider, engine.precision, engine.ran_by) == ("CPU", "fp32", "ONNX Runtime (CPU)")
    assert engine.model.cached(0, "key").dtype == np.float32


@pytest.mark.parametrize("name", ["bert-tiny"])
def test_what_fills_in_and_what_labels_read_the_same(name, exports, gpu):  # noqa: F811
    model, folder = exports(PRESETS[name].spec.replace(**SMALL), ("fp32", "fp16", "int8"))
    texts = prompts(3, 9)
    for precision, bound in (("auto", HALF), ("fp32", 1e-4), ("fp16", HALF), ("int8", 0.1)):
        on_gpu, on_cpu = (OnnxEncoder(folder, precision, device) for device in ("cuda", "cpu"))
        assert (on_gpu.provider, on_gpu.precision) == ("CUDA", "fp16" if precision == "auto" else precision)
        ours, theirs = on_gpu.logits(texts), on_cpu.logits(texts)
        for text, a, b in zip(texts, ours, theirs, strict=True):
            assert np.abs(a[: len(text)] - b[: len(text)]).max() <= bound * np.abs(theirs).max()


def test_attention_weights_are_the_same(exports, gpu):  # noqa: F811
    for spec in (WRITERS["gpt2"], PAIRS["as published"], PRESETS["bert-tiny"].spec.replace(**SMALL)):
        _, folder = exports(spec)
        source = [7, 8] if spec.architecture == "encoder-decoder" else None
        ours, theirs = (AttentionSession(folder, device).weights([5, 9, 7], source) for device in ("cuda", "cpu"))
        for part, weights in theirs.items():
            assert np.abs(weights - ours[part]).max() < 1e-6


@pytest.mark.parametrize("name", ["gpt2", "llama", "lstm", "pairs", "standard"])
def test_a_whole_text_is_scored_while_another_is_written(name, exports, gpu):  # noqa: F811
    """`all_logits` and `next_logits` against PyTorch, in the middle of writing, which goes on undisturbed."""
    spec = {**WRITERS, **RECURRENT, "pairs": PAIRS["as published"], "standard": WRITERS["gpt2"]}[name]
    model, folder = exports(spec, fused=name != "standard")
    engine = Engine(folder)
    source = [6, 7, 8] if name == "pairs" else None
    right = list(engine.generate([5, 9], 10, source_ids=source))
    more = {} if source is None else {"source_ids": torch.tensor([source])}
    said, text = [], [4, 8, 15, 16, 23, 42]
    with torch.no_grad():
        theirs = model(torch.tensor([text]), **more).logits[0].numpy()
    for token in engine.generate([5, 9], 10, source_ids=source):
        said.append(token)
        ours = engine.all_logits(text, source)
        assert ours.shape == theirs.shape and np.abs(ours - theirs).max() < HALF * np.abs(theirs).max()
        assert np.abs(engine.next_logits(text, source) - theirs[-1]).max() < HALF * np.abs(theirs).max()
    assert said == right


class TestDrawing:
    """Sampling that stays on the device, for a vocabulary where it does."""

    def test_a_second_source_is_answered_like_the_first(self, exports, gpu):  # noqa: F811
        _, folder = exports(PAIRS["as published"].replace(vocab_size=5000))
        draw = lambda engine, source: list(engine.generate([1], 12, Sampling(0.9), seed=5, source_ids=source))
        engine = Engine(folder)
        draw(engine, [7, 9, 30])
        assert draw(engine, [5, 44]) == draw(Engine(folder), [5, 44])
        assert engine.model.device_step.sampler is not None

    @pytest.mark.parametrize("kind", ["refuses_capture", "breaks_capture", "breaks"])
    def test_where_a_card_refuses_it_is_drawn_kernel_by_kernel_or_on_the_cpu(self, kind, exports, gpu, monkeypatch):  # noqa: F811
        _, folder = exports(self.LSTM)
        right = list(Engine(folder, device="cpu").generate([5, 9], 20, Sampling(0.9), seed=2))
        engine, twin = Engine(folder), None
        if kind == "breaks":  # later than the laps were captured: of the sampler's graph alone
            monkeypatch.setattr(device_sampling, "_opened", broken)
        else:
            monkeypatch.setattr(gpu, kind, True)
            twin = engine.clone()
        for each in filter(None, (engine, twin)):
            assert list(each.generate([5, 9], 20, Sampling(0.9), seed=2)) == right
        assert (engine.model.device_step.sampler is None) == (kind == "breaks")

    def test_all_who_draw_share_a_session(self, exports, gpu):  # noqa: F811
        _, folder = exports(self.LSTM)
        engine = Engine(folder)
        twins = [engine.clone() for _ in range(3)]
        for each in twins:
            list(each.generate([5, 9], 3, Sampling(0.9)))
        assert len({id(way.session) for each in twins for way in each.model.device_step.sampler._runs}) == 1

    SPEC = WRITERS["gpt2"].replace(vocab_size=5000)

    LSTM = RECURRENT["lstm"].replace(vocab_size=5000)

    @pytest.mark.parametrize("sampling", [Sampling(0.8), Sampling(1.3, min_p=0.05), Sampling(0)], ids=repr)
    def test_the_same_seed_draws_the_same_tokens_as_the_cpu(self, sampling, exports, gpu):  # noqa: F811
        _, folder = exports(self.LSTM)
        on_gpu, on_cpu = (Engine(folder, device=device) for device in ("cuda", "cpu"))
        ours, theirs = (
            list(engine.write([5, 9], 40, sampling, np.random.default_rng(7))) for engine in (on_gpu, on_cpu)
        )
        assert on_gpu.model.device_step.sampler is not None, "it was drawn on the device"
        assert [each.token for each in ours] == [each.token for each in theirs]
        for name in ("probability", "drawn"):
            a, b = (np.array([getattr(each, name) for each in said]) for said in (ours, theirs))
            np.testing.assert_allclose(a, b, rtol=1e-3)
        assert [each.token for each in ours] == list(on_gpu.generate([5, 9], 40, sampling, seed=7))

    @pytest.mark.parametrize("vocab_size", [4096, 4097, 5000, 9000])
    def test_a_draw_is_that_of_the_cpu(self, vocab_size, gpu):  # noqa: F811
        """Token by token against `sampling.choose`, whose running sum is in 64 bits: another token may be drawn only where the
        number that decides falls on the border between two.
        """
        rng = np.random.default_rng(vocab_size)
        scores, tokens = (
            buffer_of(np.zeros((4, vocab_size), np.float32), "cuda"),
            buffer_of(np.zeros((4, 1), np.int64), "cuda"),
        )
        sampler = DeviceSampler(scores, [tokens])
        for round_ in range(60):
            sampling = Sampling([0.0, 0.3, 1.0, 2.5, 1e-5][round_ % 5], min_p=[0.0, 0.02, 0.5][round_ % 3])
            logits = rng.normal(0, rng.choice([0.1, 3, 20]), (4, vocab_size)).astype(np.float32)
            uniforms = rng.random(4)
            uniforms[round_ % 4] = [0.0, 1 - 1e-9][round_ % 2]
            write_buffer(scores, logits)
            drawn, probabilities, shares = sampler.sample(0, sampling, uniforms)
            assert drawn.tolist() == read_buffer(tokens)[:, 0].tolist()
            for row, token, uniform, p, share in zip(logits, drawn, uniforms, probabilities, shares, strict=True):
                history = steps(row, sampling)
                reached = np.cumsum(history[-1][1])
                assert history[-1][1][token] > 0, "a token that was ruled out"
                if sampling.temperature:
                    before = reached[token] - history[-1][1][token]
                    assert before - 2e-5 <= uniform * reached[-1] <= reached[token] + 2e-5
                else:
                    assert token == row.argmax()
                assert p == pytest.approx(history[0][1][token], rel=1e-3, abs=1e-12)
                assert share == pytest.approx(history[-1][1][token], rel=1e-3)

    def test_logits_stay_on_the_device(self, exports, gpu, monkeypatch):  # noqa: F811
        _, folder = exports(self.SPEC)
        engine = Engine(folder)
        read = []
        numpy = gpu_double.Value.numpy
        monkeypatch.setattr(gpu_double.Value, "numpy", lambda self: read.append(self.shape()) or numpy(self))
        list(engine.write([5, 9], 12, Sampling(0.8), np.random.default_rng(7)))
        list(engine.generate([5, 9], 12))
        assert read and all(np.prod(shape) <= BLOCK for shape in read)
        assert engine.model.device_step.sampler is not None

    def test_steps_that_sort_or_look_back_are_drawn_on_the_cpu(self, exports, gpu):  # noqa: F811
        _, folder = exports(self.LSTM)
        for sampling in (Sampling(0.8, top_k=20), Sampling(top_p=0.9), Sampling(repetition_penalty=1.2)):
            on_gpu, on_cpu = (Engine(folder, device=device) for device in ("cuda", "cpu"))
            ours, theirs = (
                [each.token for each in engine.write([5, 9], 25, sampling, np.random.default_rng(7))]
                for engine in (on_gpu, on_cpu)
            )
            assert on_gpu.model.device_step.sampler is None and ours == theirs


def test_the_double_shows_what_a_stale_input_does(exports, gpu):  # noqa: F811
    """Numbers that are bound in an array of the CPU and written over afterwards are not seen: why `binding` exists."""
    _, folder = exports(WRITERS["gpt2"])
    session = sessions.open_session(folder / "model.onnx", "cuda")
    binding, ids = on_gpu(session.io_binding), np.array([[5]], dtype=np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones((1, 1), np.int64), "position_ids": np.zeros((1, 1), np.int64)}
    feed |= {value.name: np.zeros((1, 2, 0, 16), np.float32) for value in session.get_inputs() if "past" in value.name}

    def run_twice() -> list[np.ndarray]:
        for name, array in feed.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, "cpu", 0))
        binding.bind_output("logits", "cpu")
        said = []
        for token in (5, 9):
            ids[0, 0] = token
            session.run_with_iobinding(binding)
            said.append(binding.get_outputs()[0].numpy().copy())
        return said

    first, second = on_gpu(run_twice)
    assert (first == second).all()


def test_a_decoder_from_bytes_and_one_from_a_file_are_rewritten_and_damage_is_told(exports, gpu, tmp_path):  # noqa: F811
    _, folder = exports(WRITERS["llama"])
    about, file = Engine(folder).about, folder / "fused.fp32.onnx"
    (tmp_path / "damaged.onnx").write_bytes(b"no model")
    for model in (file, file.read_bytes()):
        assert FusedDecoder(model, about).cached(0, "key").dtype == np.float16
    for name in ("damaged.onnx", "missing.onnx"):
        with pytest.raises(PlaygroundError, match=name):
            FusedDecoder(tmp_path / name, about)
