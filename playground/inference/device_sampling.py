"""Sampling the next token on the GPU that computed the logits, so that these need not be copied to the CPU."""

from functools import cache

import numpy as np
import onnxruntime as ort

from playground.core.errors import PlaygroundError
from playground.inference.binding import BoundRun, buffer_of, read_buffer
from playground.inference.open_model import OpenedModel, cannot_run_on_gpu
from playground.inference.sampling import Sampling
from playground.inference.session import open_capturing, open_session, running_on

BLOCK = 256  # tokens that are summed first: a cumulative sum over a whole vocabulary is slow on a GPU
MIN_VOCABULARY = 4096  # tokens; below, numpy samples faster (some 50 µs) than a GPU answers
MAX_SHARPNESS = 1e30  # upper limit of 1/temperature: infinity times zero is not a number

# Softmax, temperature and min-p, then inverse transform sampling as in `sampling.choose`: the first token whose
# cumulative probability exceeds uniform · total. The graph finds the block of tokens first, then the token in the block.
# Both are limited to the last one with a probability above 0; otherwise rounding could choose a token that min-p removed.
TEXT = """
<ir_version: 10, opset_import: ["" : 17]>
draw (float[{shape}] scores, float[batch, 3] parameters) => (int64[batch, 1] token, float[batch, 3] result)
<int64[3] thirds = {{1, 1, 1}}, float[1] none = {{0.0}}, float[1] width = {{{block}.0}},
 int64[4] pads = {{0, 0, 0, {padding}}}, int64[2] flat = {{-1, {vocabulary}}}, int64[3] shape = {{-1, {blocks}, {block}}},
 int64[1] first = {{1}}, int64[1] second = {{2}}, int64[1] axis = {{1}},
 int64[1] last_block = {{{last_block}}}, int64[1] last_token = {{{last_token}}}>
{{
    logits = Reshape (scores, flat)
    sharpness, min_p, uniform = Split <axis = 1> (parameters, thirds)
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
    result = Concat <axis = 1> (number, probability, drawn)
}}
"""


def can_sample(sampling: Sampling, vocab_size: int) -> bool:
    """Whether the device samples with these settings.

    It applies temperature and min-p, for vocabularies that are large enough to gain by it. Top-k and top-p need sorting,
    and the repetition penalty needs the whole text: these are left to the CPU.

    Args:
        vocab_size: tokens in the vocabulary.
    """
    plain = sampling.top_k == 0 and sampling.top_p == 1.0 and sampling.repetition_penalty == 1.0
    return plain and vocab_size >= MIN_VOCABULARY


def parameters_of(sampling: Sampling, uniforms: np.ndarray) -> np.ndarray:
    """The graph's parameters for each text.

    Args:
        uniforms: a random number from [0, 1) for each text ``[batch]``.

    Returns:
        float32 ``[batch, 3]``: 1/temperature, min-p and the random number.
    """
    if sampling.temperature == 0:  # min-p 1 keeps the most likely tokens alone; uniform 0 takes the first
        return np.tile(np.array([1.0, 1.0, 0.0], dtype=np.float32), (len(uniforms), 1))
    sharpness = min(MAX_SHARPNESS, 1 / max(sampling.temperature, 1 / MAX_SHARPNESS))
    return np.stack([np.full_like(uniforms, sharpness), np.full_like(uniforms, sampling.min_p), uniforms], 1).astype(
        np.float32
    )


def sampling_graph(vocab_size: int, is_sequence: bool = False) -> bytes:
    """The sampling graph as a serialized ONNX model.

    Inputs: ``scores`` float32 ``[batch, vocabulary]``, which are logits, and ``parameters`` float32 ``[batch, 3]``, see
    `parameters_of`. Outputs: ``token`` int64 ``[batch, 1]`` and ``result`` float32 ``[batch, 3]``: the token again, its
    probability under the model, and its probability after temperature and min-p.

    Args:
        vocab_size: tokens in the vocabulary.
        is_sequence: ``scores`` are ``[batch, 1, vocabulary]``.
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
    """One session for all who sample from a vocabulary of this size."""
    graph = sampling_graph(vocab_size, is_sequence)
    opened = OpenedModel(*open_capturing(graph), lambda: open_session(graph))
    if running_on(opened.session) != "CUDA":
        raise cannot_run_on_gpu(opened.uncaptured_reason)
    return opened


class DeviceSampler:
    """Samples from logits that lie on the device and puts the token where the next step reads it.

    Args:
        scores: the buffer of the logits, float32 ``[batch, vocabulary]`` or ``[batch, 1, vocabulary]``.
        tokens: the buffers int64 ``[batch, 1]`` that a step may read; sampled tokens are written into one of them.

    Raises:
        PlaygroundError: when the device cannot do it.
    """

    def __init__(self, scores: ort.OrtValue, tokens: list[ort.OrtValue]) -> None:
        batch, *more, vocab_size = scores.shape()
        self._parameters = np.zeros((batch, 3), dtype=np.float32)
        self._result = buffer_of(np.zeros((batch, 3), dtype=np.float32), "cuda")
        inputs, opened = {"scores": scores, "parameters": self._parameters}, _opened(vocab_size, bool(more))
        while True:
            session, capture = opened.session, not opened.uncaptured_reason
            try:
                self._runs = [
                    BoundRun(session, inputs, {"token": to, "result": self._result}, capture) for to in tokens
                ]
                for run in self._runs:
                    run.run()
                return
            except PlaygroundError as error:
                opened.fall_back(session, error)

    def sample(self, which: int, sampling: Sampling, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples one token for each text into a buffer.

        Args:
            which: index of the buffer.
            uniforms: a random number from [0, 1) for each text ``[batch]``.

        Returns:
            Tokens int64, their probabilities under the model, and their probabilities after temperature and min-p,
            float32; each ``[batch]``.

        Raises:
            RunFailed: when ONNX Runtime cannot run it.
        """
        self._parameters[:] = parameters_of(sampling, uniforms)
        self._runs[which].run()
        result = read_buffer(self._result)
        return result[:, 0].astype(np.int64), result[:, 1], result[:, 2]
