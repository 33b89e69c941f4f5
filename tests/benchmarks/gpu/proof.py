"""Exports on CUDA against torch on the CPU: what `playground.onnx_export.verify` proves on the CPU, once more on the card."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.generate import decode
from models.heads import ClassificationHead, ModelWithHead, TaggingHead
from models.spec import ModelSpec
from models.transformer import Source
from playground.inference.attention_session import AttentionSession
from playground.inference.engine import RECURRENT, Engine
from playground.inference.onnx_encoder import OnnxEncoder as TextReader
from playground.onnx_export.verify import TOLERANCE, Check, compare
from tests.benchmarks.gpu.exports import lively, write_all
from tests.benchmarks.gpu.rows import Row, Setting, attempt, first_difference, skipped

SHAPE = {"vocab_size": 512, "d_model": 128, "n_layers": 3, "n_heads": 4, "context_length": 64}
WRITERS = {
    "decoder, learned positions": {"architecture": "decoder"},
    "decoder, rotary, 2 key-value heads": {
        "architecture": "decoder",
        "norm": "rmsnorm",
        "position": "rotary",
        "mlp": "swiglu",
        "bias": False,
        "n_kv_heads": 2,
        "tie_embeddings": False,
    },
    "decoder, QK-norm, softcap": {
        "architecture": "decoder",
        "norm": "rmsnorm",
        "position": "rotary",
        "qk_norm": True,
        "mlp": "relu2",
        "logit_softcap": 15.0,
        "bias": False,
    },
    "decoder, ALiBi": {"architecture": "decoder", "position": "alibi"},
    "decoder, odd heads": {"architecture": "decoder", "d_model": 120, "n_heads": 6},
    "encoder–decoder": {
        "architecture": "encoder-decoder",
        "norm_position": "post",
        "position": "sinusoidal",
        "mlp": "relu",
    },
    "RNN": {"architecture": "rnn", "n_layers": 2},
    "LSTM": {"architecture": "lstm", "n_layers": 2},
    "GRU": {"architecture": "gru", "n_layers": 2},
}
ENCODER = {"architecture": "encoder", "norm_position": "post", "embedding_norm": True, "head_transform": True}
HALF, HALF_ATTENTION, CELLS = 1e-2, 5e-3, 2e-3
"""The largest differences that are rounding, as shares of the largest logit: of 16 bits, of 16 bits in attention alone (fused
decoders have no other on CUDA), of recurrent layers (cuDNN may round factors). All else in 32 bits: `verify.TOLERANCE`."""
BATCHES, SECONDS, GREEDY = (1, 2, 8), 3, 48


def measure(setting: Setting) -> Iterator[Row]:
    kinds = list(WRITERS) if not setting.rehearsal else ["decoder, learned positions", "decoder, odd heads", "LSTM"]
    work: list[tuple[str, Callable, tuple]] = [(name, writer, (WRITERS[name],)) for name in kinds]
    work += [("encoder", encoder, ())]
    work += [
        (f"{name} from {base}", classifier, (head, base))
        for name, head in HEADS.items()
        for base in ("encoder", "decoder")
    ]
    work += [("attention weights", attention, ())]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        for i, (name, prove, more) in enumerate(work):
            what = f"export on {setting.device.upper()}: {name}"
            if setting.left() < SECONDS:
                yield skipped(what, "no time was left")
            else:
                yield from attempt(what, prove, setting, what, Path(place) / str(i), *more)


def told_of(what: str, ran: str, checks: list[Check], tolerance: float, greedy: str = "") -> Row:
    worst = max(checks, key=lambda check: check.error / check.scale)
    share = worst.error / worst.scale
    told = f"{share:.1e} of the largest logit at most, {len(checks)} shapes (worst: {worst.what}); {greedy}{ran}"
    return Row(what, told, f"≤ {tolerance:.0e}", share <= tolerance, figures={"share": share, "shapes": len(checks)})


def tolerance_of(engine: Engine | TextReader) -> float:
    if engine.precision != "fp32":
        return HALF
    if getattr(engine, "fused", False):
        return HALF_ATTENTION
    return CELLS if engine.about.architecture in RECURRENT else TOLERANCE


def on_device(setting: Setting, provider: str) -> None:
    """
    Raises:
        RuntimeError: when it did not run where it should.
    """
    if provider.lower() != setting.device:
        raise RuntimeError(f"ONNX Runtime ran on {provider}, not on {setting.device.upper()}")


def writer(setting: Setting, what: str, folder: Path, spec: dict) -> Iterator[Row]:
    """What continues text: the whole file and what "auto" makes of it, batches of texts of different lengths, token by token."""
    model = lively(ModelSpec(**{**SHAPE, **spec}))
    write_all(model, folder, ["fp32", "fp16"])
    for precision in ("fp32", "auto") if model.spec.is_recurrent else ("fp32", "fp16", "auto"):
        yield from attempt(f"{what}, {precision}", written, setting, f"{what}, {precision}", folder, model, precision)


def written(setting: Setting, what: str, folder: Path, model: nn.Module, precision: str) -> Row:
    checks, engine = [], None
    for batch in BATCHES:
        engine = Engine(folder, precision, batch=batch, device=setting.device)
        on_device(setting, engine.provider)
        checks.append(in_steps(model, engine, batch))
    single = Engine(folder, precision, device=setting.device)
    checks.append(along(model, single))
    why = getattr(engine, "uncaptured_reason", "") if setting.device == "cuda" else ""
    ran = engine.ran_by + (f" (no CUDA graph: {why})" if why else "")
    return told_of(what, ran, checks, tolerance_of(single), greedy(model, single))


@torch.no_grad()
def in_steps(model: nn.Module, engine: Engine, batch: int) -> Check:
    """Texts of different lengths (of equal ones where the graph wants that) read at once, then some tokens one by one; twice,
    since a second text meets what the first one left.
    """
    spec, rng = model.spec, np.random.default_rng(batch)
    most, ours, right = spec.context_length, [], []
    varied = engine.fused
    for _ in range(2):
        more = {}
        if spec.architecture == "encoder-decoder":
            source = rng.integers(4, spec.vocab_size, rng.integers(2, most))
            engine.model.encode_source(source)
            more = {"source": Source(torch.from_numpy(source).expand(batch, -1))}
        ids = rng.integers(4, spec.vocab_size, (batch, most))
        theirs = model(torch.from_numpy(ids), **more).logits.numpy()
        lengths = rng.integers(1, most - 8, batch) if varied else np.full(batch, most // 2)
        ours.append(engine.model.prefill([text[:n] for text, n in zip(ids, lengths, strict=True)]).copy())
        ours += [engine.model.decode_step(ids[np.arange(batch), lengths + i]).copy() for i in range(7)]
        right += [theirs[np.arange(batch), lengths - 1 + i] for i in range(8)]
    return compare(np.stack(ours), np.stack(right), f"batch {batch}, 7 single steps")


@torch.no_grad()
def along(model: nn.Module, engine: Engine) -> Check:
    """The scores along a whole text, while another is being written."""
    spec, rng = model.spec, np.random.default_rng(9)
    ids = rng.integers(4, spec.vocab_size, spec.context_length)
    source = rng.integers(4, spec.vocab_size, 7) if spec.architecture == "encoder-decoder" else None
    more = {} if source is None else {"source": Source(torch.from_numpy(source)[None])}
    theirs = model(torch.from_numpy(ids)[None], **more).logits[0].numpy()
    ours = engine.all_logits(ids.tolist(), None if source is None else source.tolist())
    return compare(ours, theirs, f"scores along {len(ids)} tokens")


@torch.no_grad()
def greedy(model: nn.Module, engine: Engine) -> str:
    """Where greedy text leaves that of torch on the CPU, in words; a full context is halved on the way."""
    spec, rng = model.spec, np.random.default_rng(2)
    prompt = rng.integers(4, spec.vocab_size, 4).tolist()
    source = rng.integers(4, spec.vocab_size, 6).tolist() if spec.architecture == "encoder-decoder" else None
    max_new_tokens = GREEDY if source else 2 * spec.context_length
    theirs = list(decode(model, prompt, max_new_tokens, source_ids=source))
    ours = list(engine.generate(prompt, max_new_tokens, source_ids=source))
    at = first_difference(ours, theirs)
    return (
        f"{max_new_tokens} greedy tokens as torch's; "
        if at is None
        else f"greedy tokens as torch's up to number {at} of {max_new_tokens}; "
    )


@torch.no_grad()
def read_texts(model: nn.Module, ours: TextReader, every: bool) -> list[Check]:
    """Batches of 1 to 8 texts of different lengths; ``every``: logits of every token."""
    spec, rng, checks = model.spec, np.random.default_rng(0), []
    for batch in BATCHES:
        lengths = rng.integers(1, spec.context_length + 1, batch)
        lengths[0] = spec.context_length
        texts = [rng.integers(4, spec.vocab_size, n).tolist() for n in lengths]
        ids, mask = np.zeros((batch, lengths.max()), dtype=np.int64), np.zeros((batch, lengths.max()), dtype=bool)
        for i, text in enumerate(texts):
            ids[i, : len(text)], mask[i, : len(text)] = text, True
        theirs = model(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits.numpy()
        found, what = ours.logits(texts), f"batch {batch}, {lengths.min()} to {lengths.max()} tokens"
        checks.append(compare(found[mask], theirs[mask], what) if every else compare(found, theirs, what))
    return checks


def reads(
    setting: Setting, what: str, folder: Path, model: nn.Module, every: bool, precisions: tuple[str, ...]
) -> Iterator[Row]:
    for precision in precisions:
        ours = TextReader(folder, precision, device=setting.device)
        on_device(setting, ours.provider)
        yield told_of(f"{what}, {precision}", ours.ran_by, read_texts(model, ours, every), tolerance_of(ours))


def encoder(setting: Setting, what: str, folder: Path) -> Iterator[Row]:
    """What fills in hidden words."""
    model = lively(ModelSpec(**{**SHAPE, **ENCODER}))
    write_all(model, folder, ["fp32", "fp16"])
    return reads(setting, what, folder, model, True, ("fp32", "fp16", "auto"))


HEADS = {"classifier": lambda width: ClassificationHead(width, 5), "tagger": lambda width: TaggingHead(width, 5)}


def classifier(setting: Setting, what: str, folder: Path, head: Callable[[int], nn.Module], base: str) -> Iterator[Row]:
    """What a text is, or each of its tokens."""
    spec = ENCODER if base == "encoder" else WRITERS["decoder, learned positions"]
    body = lively(ModelSpec(**{**SHAPE, **spec}))
    torch.manual_seed(1)
    model = ModelWithHead(body, head(body.spec.d_model)).eval()
    write_all(model, folder, ["fp32"], labels=5)
    return reads(setting, what, folder, model, isinstance(model.head, TaggingHead), ("fp32", "auto"))


def attention(setting: Setting, what: str, folder: Path) -> Row:
    """The attention weights that an export gives out, against the CPU's: they are shares, so no logit scales them."""
    model = lively(ModelSpec(**{**SHAPE, **ENCODER}))
    write_all(model, folder, ["fp32"], attentions=True)
    ids = np.random.default_rng(0).integers(4, SHAPE["vocab_size"], SHAPE["context_length"] - 8).tolist()
    there, here = (AttentionSession(folder, device) for device in (setting.device, "cpu"))
    on_device(setting, there.provider)
    ours, theirs = there.weights(ids)["self"], here.weights(ids)["self"]
    return told_of(what, f"ONNX Runtime ({there.provider})", [compare(ours, theirs, f"{len(ids)} tokens")], TOLERANCE)
