"""Batches in few shapes, for steps that are recorded: every new shape costs a recording, and memory.

Texts of different lengths and places hidden at random would give nearly every batch a shape of its own. Filled up to
the next of a few sizes, with what counts for nothing, they have a handful; windows of a text have one already.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.training.batches import IGNORE, Batch

LENGTHS, PLACES = 8, 32  # sizes that a text's length, and the number of hidden places, may have
LEAST = 8  # how far sizes are apart: below, padding costs nothing


def steadied(batch: Batch, context_length: int, masked: bool) -> Batch:
    """The same question with its lengths rounded up; the loss is the same sum over the same targets.

    Args:
        batch: of one text or two (``source_ids``), or with chosen ``rows``.
        context_length: no length is rounded beyond it.
        masked: whether the model must be told what is padding even where a batch has none (else a mask is filled up
            only where there is one: a causal model never looks to the right).
    """
    inputs, targets = dict(batch.inputs), batch.targets
    n_texts, length = inputs["input_ids"].shape
    wide = _rounded(length, context_length, LENGTHS)
    if masked and "attention_mask" not in inputs:
        inputs["attention_mask"] = torch.ones(n_texts, length, dtype=torch.bool)
    for name in ("input_ids", "attention_mask"):
        if name in inputs:
            inputs[name] = _filled(inputs[name], wide, 0)
    if "rows" in inputs:  # flat places in [texts, length]
        rows = inputs["rows"] // length * wide + inputs["rows"] % length
        size = _rounded(len(rows), n_texts * wide, PLACES)
        other = torch.arange(size - len(rows))  # each once: gradients of one place many times over add up slowly
        inputs["rows"], targets = torch.cat([rows, other]), _filled(targets, size, IGNORE)
    elif targets.dim() == 2:
        targets = _filled(targets, wide, IGNORE)
    if "source_ids" in inputs:
        source = inputs["source_ids"]
        room = _rounded(source.shape[1], context_length, LENGTHS)
        mask = inputs.get("source_mask", torch.ones_like(source, dtype=torch.bool))
        inputs["source_ids"], inputs["source_mask"] = _filled(source, room, 0), _filled(mask, room, 0)
    return Batch(inputs, targets, batch.n_targets, batch.n_tokens)


def _rounded(size: int, most: int, sizes: int) -> int:
    """The next of at most ``sizes`` sizes up to ``most``; what is larger already stays."""
    unit = max(LEAST, -(-most // sizes))
    return max(size, min(-(-max(size, 1) // unit) * unit, most))


def _filled(tensor: Tensor, size: int, value: int) -> Tensor:
    """``[..., size]``, filled up on the right."""
    missing = size - tensor.shape[-1]
    return F.pad(tensor, (0, missing), value=value) if missing else tensor
