"""Text of an export, against torch: beyond the context, from contexts of one token, for several texts at once."""

import json
import threading

import numpy as np
import pytest
import torch

from models.generate import decode
from models.transformer import Source
from playground import gallery
from playground.core.errors import PlaygroundError
from playground.inference.engine import Engine
from playground.inference.export_manifest import MANIFEST
from playground.inference.onnx_encoder import OnnxEncoder
from playground.inference.sampling import Sampling
from playground.onnx_export import precision_eval
from playground.onnx_export.export import export
from playground.text.tokenizers import Tokenizer
from playground.training import worker
from playground.training.load_model import load_model
from tests.support.made_exports import DECODERS, PAIRS
from tests.support.written_texts import HALF, RECURRENT


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
    "lstm-attention": {
        "model": {"architecture": "lstm-attention"},
        "training": {"objective": "seq2seq"},
        "data": {"corpus": "task-reversal", "max_bytes": None},
    },
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
        source = ids[:context] if model.spec.reads_pairs else None
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


def test_several_texts_at_once_are_what_each_is_alone():
    run = gallery.get("bible-decoder")
    made, tokenizer = export(run), Tokenizer.load(run.tokenizer_path)
    prompts = [tokenizer.encode(text) for text in ("And God said", "The", "Blessed are the poor in")]
    together = Engine(made.folder, batch=3).batched(prompts, 20)
    alone = [list(Engine(made.folder).generate(prompt, 20)) for prompt in prompts]
    assert together == alone


def test_a_card_that_breaks_while_it_writes_is_told_in_a_sentence(exports, gpu, monkeypatch):
    _, folder = exports(DECODERS["gpt2"])
    writing = Engine(folder).generate([5, 9], 40)
    next(writing)
    monkeypatch.setattr(gpu, "breaks", True)
    with pytest.raises(PlaygroundError, match="stopped on the GPU: CUDA error 209") as told:
        list(writing)
    assert "choose device 'cpu'" in told.value.hint


@pytest.mark.parametrize("change", [{"position": "rotary"}, {"n_layers": 9}, {"n_kv_heads": 1}])
def test_an_export_of_another_model_is_told_in_a_sentence(change, exports):
    """``playground.json`` says other sizes than the graph has."""
    _, folder = exports(DECODERS["gpt2"].replace(n_layers=3))
    about = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(about | {"position": "learned", **change}))
    try:
        with pytest.raises(PlaygroundError, match="another model's|stopped:|takes no"):
            list(Engine(folder).generate([5, 9], 3))
    finally:
        (folder / MANIFEST).write_text(json.dumps(about))


@pytest.mark.parametrize("name", ["gpt2", "llama", "lstm", "pairs"])
def test_a_text_longer_than_the_context_goes_on_as_in_torch(name, exports, gpu):
    """Through `Engine.generate`: a full context is halved and read anew, laps and all."""
    spec = {**DECODERS, **RECURRENT, "pairs": PAIRS["as published"]}[name]
    model, folder = exports(spec)
    source = [6, 7, 8] if name == "pairs" else None
    max_new_tokens = 20 if source else 60
    ours = list(Engine(folder, "fp32").generate([5, 9, 11], max_new_tokens, source_ids=source))
    assert ours == list(decode(model, [5, 9, 11], max_new_tokens, source_ids=source))


def test_twins_write_at_the_same_time_without_disturbing_each_other(exports, gpu):
    _, folder = exports(DECODERS["gpt2"])
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


def test_a_person_who_stops_and_begins_anew_gets_the_text_from_its_beginning(exports, gpu):
    _, folder = exports(DECODERS["llama"])
    engine = Engine(folder)
    whole = list(engine.generate([5, 9], 12))
    writing = engine.generate([5, 9], 12)
    for _ in range(5):
        next(writing)
    writing.close()
    asked = iter([False, False, True])
    assert list(engine.generate([5, 9], 12, cancelled=lambda: next(asked))) == whole[:2]
    assert list(engine.generate([5, 9], 12)) == whole


@pytest.mark.parametrize("name", ["gpt2", "llama", "lstm", "pairs", "standard"])
def test_a_whole_text_is_scored_while_another_is_written(name, exports, gpu):
    """`all_logits` and `next_logits` against PyTorch, in the middle of writing, which goes on undisturbed."""
    spec = {**DECODERS, **RECURRENT, "pairs": PAIRS["as published"], "standard": DECODERS["gpt2"]}[name]
    model, folder = exports(spec, fused=name != "standard")
    engine = Engine(folder)
    source = [6, 7, 8] if name == "pairs" else None
    right = list(engine.generate([5, 9], 10, source_ids=source))
    more = {} if source is None else {"source": Source(torch.tensor([source]))}
    said, text = [], [4, 8, 15, 16, 23, 42]
    with torch.no_grad():
        theirs = model(torch.tensor([text]), **more).logits[0].numpy()
    for token in engine.generate([5, 9], 10, source_ids=source):
        said.append(token)
        ours = engine.all_logits(text, source)
        assert ours.shape == theirs.shape and np.abs(ours - theirs).max() < HALF * np.abs(theirs).max()
        assert np.abs(engine.next_logits(text, source) - theirs[-1]).max() < HALF * np.abs(theirs).max()
    assert said == right
