"""Verifying an export: the logits of its graphs against torch's for many shapes, and greedy texts token by token."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from models.generate import decode
from models.heads import ModelWithHead
from models.language_model import AnyModel, LanguageModel
from models.spec import ModelSpec
from models.transformer import Source
from playground.core.errors import Message, PlaygroundError
from playground.inference.engine import Engine
from playground.inference.onnx_encoder import OnnxEncoder as TextReader
from playground.inference.session import open_session

TOLERANCE = 2e-4
"""The largest difference of logits that is rounding, as a share of the largest logit (or of 1)."""
GREEDY = 64
MOST_NUMBERS = 2**29  # of logits, or between the layers, while eight texts are compared
MOST_WEIGHTS = 2**27  # of one layer's attention meanwhile


def longest(spec: ModelSpec) -> int:
    """Length in tokens of the longest texts that are compared: the context, or as much of it as fits in memory."""
    most = min(2048, MOST_NUMBERS // (8 * (spec.vocab_size + 4 * max(spec.d_model, spec.mlp_width))))
    if not spec.is_recurrent:
        most = min(most, math.isqrt(MOST_WEIGHTS // (8 * spec.n_heads)))
    return min(spec.context_length, max(4, most))


def first(spec: ModelSpec) -> int:
    """The lowest token id that is drawn: the first after the special tokens, if there are others."""
    return min(4, spec.vocab_size - 1)


@dataclass(frozen=True)
class Check:
    """The comparison of one shape.

    Attributes:
        what: such as "batch 8, length 16 after 48".
        error: the largest difference of logits.
        scale: the largest logit, at least 1.
    """

    what: str
    error: float
    scale: float

    @property
    def agrees(self) -> bool:
        return self.error <= TOLERANCE * self.scale


def compare(ours: np.ndarray, theirs: np.ndarray, what: str) -> Check:
    """The largest difference between logits of the graph and of torch, arrays of one shape."""
    return Check(what, float(np.abs(ours - theirs).max()), max(1.0, float(np.abs(theirs).max())))


@torch.no_grad()
def check_graph(model: AnyModel, folder: Path) -> Iterator[Check]:
    """Compares the graph of standard operators with torch: batches of 1 to 8, lengths of 1 to the context, caches from empty
    to full, padding.

    Args:
        model: in evaluation mode.
        folder: with ``model.onnx``, or ``encoder_model.onnx`` and ``decoder_model.onnx``.

    Raises:
        PlaygroundError: when a file cannot be opened.
    """
    spec, rng = model.spec, np.random.default_rng(0)
    draw = lambda *shape: rng.integers(first(spec), spec.vocab_size, shape)
    if spec.reads_pairs:
        yield from _pairs(cast(LanguageModel, model), folder, draw)
        return
    session = open_session(folder / "model.onnx", "cpu")
    most = longest(spec)
    if not spec.is_causal:
        yield from _read_whole(model, session, draw)
        return
    for batch, n, before in (
        (1, 1, 0),
        (2, max(1, most // 2), 0),
        (8, most, 0),
        (1, 1, most - 1),
        (4, max(1, most // 4), most // 2),
    ):
        ids = draw(batch, before + n)
        theirs = model(torch.from_numpy(ids)).logits.numpy()[:, before:]
        ours = _in_pieces(session, spec, ids, before)
        yield compare(
            ours, theirs, Message("batch {batch}, length {n} after {before}", batch=batch, n=n, before=before)
        )
    if not spec.is_recurrent:
        yield _padded(model, session, draw(3, most), most // 3)


def _read_whole(model: AnyModel, session, draw: Callable) -> Iterator[Check]:
    """Compares texts of different lengths, padded on the right, on the left and on both sides."""
    for ids, mask, told in _texts(longest(model.spec), draw):
        theirs = model(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask).bool()).logits.numpy()
        (ours,) = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        yield compare(ours, theirs, told) if theirs.ndim == 2 else compare(ours[mask == 1], theirs[mask == 1], told)


def _texts(most: int, draw: Callable) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    """Token ids and masks ``[batch, n]`` of up to ``most`` tokens, and what they are in words."""
    half = max(1, most // 2)
    for batch, n, left, right in (
        (1, 1, 0, 0),
        (2, half, 0, 0),
        (8, most, 0, most - 1),
        (4, half, 0, half // 2),
        (3, most, 0, most // 3),
        (8, most, most - 1, 0),
        (4, half, half // 2, 0),
        (3, most, most // 3, most // 3),
    ):
        ids, mask = draw(batch, n), np.ones((batch, n), dtype=np.int64)
        mask[0, :left] = mask[0, n - right : n] = 0
        words = Message("batch {batch}, length {n}", batch=batch, n=n)
        if left or right:
            words = _padded_words(batch, n, left, right)
        yield ids, mask, words


def _padded_words(batch: int, n: int, left: int, right: int) -> Message:
    words = "batch {batch}, length {n}, padding {left} left, {right} right"
    return Message(words, batch=batch, n=n, left=left, right=right)


def _in_pieces(session, spec: ModelSpec, ids: np.ndarray, before: int) -> np.ndarray:
    """Logits of the tokens from ``before`` on, computed with a cache of those before."""
    state, logits = _empty(session, spec, len(ids)), np.empty(0)
    for start, end in ((0, before), (before, ids.shape[1])):
        if end > start:
            logits, state = _call(session, ids[:, start:end], state, start)
    return logits


def _call(
    session, ids: np.ndarray, state: dict, before: int, mask: np.ndarray | None = None
) -> tuple[np.ndarray, dict]:
    inputs = {value.name for value in session.get_inputs()}
    outputs = [value.name for value in session.get_outputs() if not value.name.startswith("attentions")]
    batch, n = ids.shape
    feed = {"input_ids": ids, **state}
    mask = np.ones((batch, before + n), dtype=np.int64) if mask is None else mask
    if "attention_mask" in inputs:
        feed["attention_mask"] = mask
    if "position_ids" in inputs:
        feed["position_ids"] = np.maximum(mask.cumsum(1) - 1, 0)[:, before:]
    made = dict(zip(outputs, session.run(outputs, feed), strict=True))
    rename = lambda name: (
        "past_key_values" + name.removeprefix("present") if "." in name else name.replace("present", "past")
    )
    return made["logits"], {rename(name): value for name, value in made.items() if name != "logits"}


def _empty(session, spec: ModelSpec, batch: int) -> dict[str, np.ndarray]:
    shape = lambda name: (
        (spec.n_layers, batch, spec.d_model) if "." not in name else (batch, spec.kv_heads, 0, spec.head_dim)
    )
    return {
        value.name: np.zeros(shape(value.name), dtype=np.float32)
        for value in session.get_inputs()
        if value.name.startswith("past")
    }


def _padded(model: AnyModel, session, ids: np.ndarray, padding: int) -> Check:
    """Compares a batch whose first text is shorter, padded on the left, as in batched generation."""
    mask = np.ones(ids.shape, dtype=np.int64)
    mask[0, :padding] = 0
    theirs = model(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask).bool()).logits.numpy()
    ours, _ = _call(session, ids, _empty(session, model.spec, len(ids)), 0, mask)
    return compare(ours[mask == 1], theirs[mask == 1], _padded_words(3, ids.shape[1], padding, 0))


def _pairs(model: LanguageModel, folder: Path, draw: Callable) -> Iterator[Check]:
    spec = model.spec
    reader, writer = (open_session(folder / f"{name}_model.onnx", "cpu") for name in ("encoder", "decoder"))
    most = longest(spec)
    for batch, sources, n, before, padded in (
        (1, 1, 1, 0, 0),
        (2, max(1, most // 2), max(1, most // 4), 0, 0),
        (8, most, min(4, most), 0, most // 3),
        (8, most, min(4, most), 0, -(most // 3)),
        (3, max(1, most // 2), 1, most - 1, 0),
    ):
        source, ids = draw(batch, sources), draw(batch, before + n)
        mask = np.ones((batch, sources), dtype=np.int64)
        mask[0, sources - padded : sources] = 0  # below 0: on the left
        mask[0, : -padded if padded < 0 else 0] = 0
        theirs = model(
            torch.from_numpy(ids),
            source=Source(torch.from_numpy(source), torch.from_numpy(mask).bool()),
        ).logits.numpy()
        names = [value.name for value in reader.get_outputs() if not value.name.startswith("attentions")]
        cross = dict(zip(names, reader.run(names, {"input_ids": source, "attention_mask": mask}), strict=True))
        cross["encoder_attention_mask"] = mask
        yield compare(
            _answered(writer, spec, ids, before, cross),
            theirs[:, before:],
            Message(
                "batch {batch}, source of length {length}, {n} written after {before}",
                batch=batch,
                length=sources,
                n=n,
                before=before,
            ),
        )


def _answered(writer, spec: ModelSpec, ids: np.ndarray, before: int, cross: dict) -> np.ndarray:
    """Logits of the tokens from ``before`` on, given what the encoder made; a recurrent decoder reads them one by one."""
    state = _empty(writer, spec, len(ids))
    state |= {name: cross.pop(name) for name in list(cross) if name.startswith("past")}  # where an LSTM begins
    pieces = [(0, before), (before, ids.shape[1])]
    if spec.is_recurrent:
        pieces = [(i, i + 1) for i in range(ids.shape[1])]
    made = []
    for start, end in pieces:
        if end > start:
            logits, state = _call(writer, ids[:, start:end], {**state, **cross}, start)
            made.append(logits)
    return np.concatenate(made, axis=1)[:, before:]


@torch.no_grad()
def check_fused(model: LanguageModel, folder: Path) -> Iterator[Check]:
    """Compares the fused graph and its cache with torch: prompts of different lengths at once, then token by token."""
    spec, rng = model.spec, np.random.default_rng(1)
    for batch in (1, 2, 8):
        engine, more = Engine(folder, batch=batch, device="cpu"), {}
        most = longest(spec)
        if spec.reads_pairs:
            source = rng.integers(first(spec), spec.vocab_size, max(1, most // batch))
            engine.model.encode_source(source.tolist())
            more = {"source": Source(torch.from_numpy(source).expand(batch, -1))}
        ids = rng.integers(first(spec), spec.vocab_size, (batch, most))
        theirs = model(torch.from_numpy(ids), **more).logits.numpy()
        lengths = rng.integers(1, max(2, most - 4), batch)
        ours = [engine.model.prefill([text[:n] for text, n in zip(ids, lengths, strict=True)]).copy()]
        steps = min(3, most - int(lengths.max()))
        for i in range(steps):
            ours.append(engine.model.decode_step(ids[np.arange(batch), lengths + i]).copy())
        right = [theirs[np.arange(batch), lengths - 1 + i] for i in range(steps + 1)]
        yield compare(
            np.stack(ours),
            np.stack(right),
            Message(
                "fused, batch {batch}, caches of length {shortest} to {longest}",
                batch=batch,
                shortest=lengths.min(),
                longest=lengths.max(),
            ),
        )


@torch.no_grad()
def check_reader(model: AnyModel, folder: Path) -> Iterator[Check]:
    """Compares a classifier or tagger with torch: batches of 1 to 8, lengths of 1 to the context, padding."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.integers(first(model.spec), model.spec.vocab_size, shape)
    yield from _read_whole(model, open_session(folder / "model.onnx", "cpu"), draw)


@torch.no_grad()
def check_quantized(model: AnyModel, folder: Path, precision: str) -> Check:
    """Runs a file of a lower precision and measures how far its logits are from torch's. That difference is no error.

    Raises:
        PlaygroundError: when it does not run, or gives no numbers.
    """
    spec, rng = model.spec, np.random.default_rng(3)
    texts = rng.integers(first(spec), spec.vocab_size, (2, max(1, longest(spec) // 2)))
    ids = torch.from_numpy(texts)
    if spec.is_causal and not isinstance(model, ModelWithHead):
        engine, more = Engine(folder, precision, batch=2, device="cpu"), {}
        if spec.reads_pairs:
            engine.model.encode_source(texts[0])
            more = {"source": Source(ids[:1].expand(2, -1))}
        ours, theirs = engine.model.prefill(texts), model(ids, **more).logits[:, -1]
    else:
        ours, theirs = TextReader(folder, precision, device="cpu").logits(texts), model(ids).logits
    if not np.isfinite(ours).all():
        raise PlaygroundError(
            "The {precision} file gives no numbers.", "Leave that precision out.", precision=precision
        )
    return compare(ours, theirs.numpy(), precision)


@torch.no_grad()
def check_greedy(model: LanguageModel, folder: Path) -> int:
    """How many greedy tokens after a prompt, counted from the first, are the same as torch's; GREEDY if all are."""
    spec, rng = model.spec, np.random.default_rng(2)
    prompt = rng.integers(first(spec), spec.vocab_size, 4).tolist()
    n_source = min(6, spec.context_length)
    source = rng.integers(first(spec), spec.vocab_size, n_source).tolist() if spec.reads_pairs else None
    theirs = list(decode(model, prompt, GREEDY, source_ids=source))
    ours = list(Engine(folder, device="cpu").generate(prompt, GREEDY, source_ids=source))
    return next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), GREEDY)


def disagree(checks: list[Check], greedy: int | None) -> None:
    """Refuses an export that does not agree with torch.

    Args:
        checks: of `check_graph`, `check_fused` or `check_reader`.
        greedy: of `check_greedy`; None: not measured.

    Raises:
        PlaygroundError: when logits or greedy tokens differ.
    """
    worst = max(checks, key=lambda check: check.error / check.scale)
    if not worst.agrees:
        raise PlaygroundError(
            "The exported model does not agree with PyTorch: logits differ by {error:.2g} ({what}).",
            "Nothing was exported. Please report this with the run's settings.",
            error=worst.error,
            what=worst.what,
        )
    if greedy is not None and greedy < GREEDY:
        raise PlaygroundError(
            "The exported model writes other tokens than PyTorch from token {first} on.",
            "Nothing was exported. Please report this with the run's settings.",
            first=greedy + 1,
        )
