"""Drawing the next token on the device that made the logits, so that they need not leave it."""

from functools import cache

import numpy as np
import onnxruntime as ort

from playground.core.errors import PlaygroundError
from playground.inference.binding import BoundRun, buffer_of, read_buffer
from playground.inference.open_model import OpenedModel, cannot_run_on_gpu
from playground.inference.sampling import Sampling
from playground.inference.session import open_capturing, open_session, running_on

BLOCK = 256  # tokens that are added up first: a GPU's running sum over a whole vocabulary is slow
PAYS = 4096  # tokens of a vocabulary from which on the draw stays on the device: numpy takes some 50 µs for fewer
SHARPEST = 1e30  # instead of 1/temperature of the smallest temperatures: infinity times zero is no number

# Softmax, temperature and min-p, then a draw by the inverse of the cumulative distribution as in `sampling.choose`: the
# token at which the running sum passes uniform · total. First the block of tokens where that happens, then the token in
# it; neither is ever beyond the last that adds anything, or rounding would end on a token that was ruled out.
TEXT = """
<ir_version: 10, opset_import: ["" : 17]>
draw (float[{shape}] scores, float[batch, 3] knobs) => (int64[batch, 1] token, float[batch, 3] told)
<int64[3] thirds = {{1, 1, 1}}, float[1] none = {{0.0}}, float[1] width = {{{block}.0}},
 int64[4] pads = {{0, 0, 0, {padding}}}, int64[2] flat = {{-1, {vocabulary}}}, int64[3] shape = {{-1, {blocks}, {block}}},
 int64[1] first = {{1}}, int64[1] second = {{2}}, int64[1] axis = {{1}},
 int64[1] last_block = {{{last_block}}}, int64[1] last_token = {{{last_token}}}>
{{
    logits = Reshape (scores, flat)
    sharpness, min_p, uniform = Split <axis = 1> (knobs, thirds)
    own = Softmax <axis = 1> (logits)
    highest = ReduceMax <axes = [1]> (logits)
    below = Sub (logits, highest)
    sharp = Mul (below, sharpness)
    likely = Softmax <axis = 1> (sharp)
    best = ReduceMax <axes = [1]> (likely)
    least = Mul (best, min_p)
    fits = GreaterOrEqual (likely, least)
    kept = Where (fits, likely, none)
    padded = Pad (kept, pads)
    blocks = Reshape (padded, shape)
    sums = ReduceSum <keepdims = 0> (blocks, second)
    reached = CumSum (sums, axis)
    total = Gather <axis = 1> (reached, last_block)
    goal = Mul (uniform, total)
    is_past = LessOrEqual (reached, goal)
    past = Cast <to = 1> (is_past)
    n_past = ReduceSum (past, first)
    is_inside = Less (reached, total)
    inside = Cast <to = 1> (is_inside)
    n_inside = ReduceSum (inside, first)
    chosen = Min (n_past, n_inside)
    block = Cast <to = 7> (chosen)
    reached_there = GatherElements <axis = 1> (reached, block)
    sum_there = GatherElements <axis = 1> (sums, block)
    reached_before = Sub (reached_there, sum_there)
    remaining = Sub (goal, reached_before)
    tokens = GatherND <batch_dims = 1> (blocks, block)
    along = CumSum (tokens, axis)
    whole = Gather <axis = 1> (along, last_token)
    is_passed = LessOrEqual (along, remaining)
    passed = Cast <to = 1> (is_passed)
    n_passed = ReduceSum (passed, first)
    is_within = Less (along, whole)
    within = Cast <to = 1> (is_within)
    n_within = ReduceSum (within, first)
    place = Min (n_passed, n_within)
    start = Mul (chosen, width)
    number = Add (start, place)
    token = Cast <to = 7> (number)
    probability = GatherElements <axis = 1> (own, token)
    share = GatherElements <axis = 1> (kept, token)
    drawn = Div (share, total)
    told = Concat <axis = 1> (number, probability, drawn)
}}
"""


def can_draw(sampling: Sampling, vocab_size: int) -> bool:
    """Whether a draw is made on the device: temperature and min-p are, for vocabularies that are large enough to gain by it.
    The other steps sort, or look at the whole text.
    """
    plain = sampling.top_k == 0 and sampling.top_p == 1.0 and sampling.repetition_penalty == 1.0
    return plain and vocab_size >= PAYS


def knobs_of(sampling: Sampling, uniforms: np.ndarray) -> np.ndarray:
    """What the graph takes for each text, float32 ``[batch, 3]``: 1/temperature, min-p, and a number from [0, 1) that decides."""
    if sampling.temperature == 0:  # the likeliest alone are at least as likely as the likeliest; the first of them
        return np.tile(np.array([1.0, 1.0, 0.0], dtype=np.float32), (len(uniforms), 1))
    sharpness = min(SHARPEST, 1 / max(sampling.temperature, 1 / SHARPEST))
    return np.stack([np.full_like(uniforms, sharpness), np.full_like(uniforms, sampling.min_p), uniforms], 1).astype(
        np.float32
    )


def draw_graph(vocab_size: int, is_sequence: bool = False) -> bytes:
    """The graph that draws: ``scores``, which are logits [batch, vocabulary] (or [batch, 1, vocabulary]), and ``knobs`` in;
    ``token`` int64 [batch, 1] and ``told`` [batch, 3] out: the token again, its probability under the logits, and that with
    which it was drawn.
    """
    from onnx import parser

    blocks = -(-vocab_size // BLOCK)
    sizes = {
        "shape": f"batch, {'1, ' * is_sequence}{vocab_size}",
        "vocabulary": vocab_size,
        "block": BLOCK,
        "blocks": blocks,
        "padding": blocks * BLOCK - vocab_size,
        "last_block": blocks - 1,
        "last_token": BLOCK - 1,
    }
    return parser.parse_model(TEXT.format(**sizes)).SerializeToString()


@cache
def _opened(vocab_size: int, is_sequence: bool) -> OpenedModel:
    """One session for all who draw from so many tokens."""
    graph = draw_graph(vocab_size, is_sequence)
    opened = OpenedModel(*open_capturing(graph), lambda: open_session(graph))
    if running_on(opened.session) != "CUDA":
        raise cannot_run_on_gpu(opened.uncaptured_reason)
    return opened


class DeviceSampler:
    """Draws from logits that lie on the device and puts the token where the next step reads it.

    Args:
        scores: the logits' buffer ``[batch, vocabulary]`` or ``[batch, 1, vocabulary]``.
        tokens: where the drawn tokens go ``[batch, 1]``: each of the buffers that a step may read; they are written over.

    Raises:
        PlaygroundError: when the device cannot do it.
    """

    def __init__(self, scores: ort.OrtValue, tokens: list[ort.OrtValue]) -> None:
        batch, *more, vocab_size = scores.shape()
        self._knobs = np.zeros((batch, 3), dtype=np.float32)
        self._told = buffer_of(np.zeros((batch, 3), dtype=np.float32), "cuda")
        inputs, opened = {"scores": scores, "knobs": self._knobs}, _opened(vocab_size, bool(more))
        while True:
            session, capture = opened.session, not opened.uncaptured_reason
            try:
                self._ways = [BoundRun(session, inputs, {"token": to, "told": self._told}, capture) for to in tokens]
                for way in self._ways:
                    way.run()
                return
            except PlaygroundError as error:
                opened.fall_back(session, error)

    def draw(self, which: int, sampling: Sampling, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws into one of the buffers: tokens, their probabilities under the logits, and those with which they were drawn,
        each ``[batch]``.
        """
        self._knobs[:] = knobs_of(sampling, uniforms)
        self._ways[which].run()
        told = read_buffer(self._told)
        return told[:, 0].astype(np.int64), told[:, 1], told[:, 2]
