"""Bucketing: batches padded to a few shapes, for steps that are recorded or compiled once per shape.

Texts of different lengths and places hidden at random would give nearly every batch a shape of its own. Filled up to
the next of a few sizes, with what counts for nothing, they have a handful; windows of a text have one already.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.text.targets import IGNORE_INDEX
from playground.training.batches import Batch

LENGTH_BUCKETS, MASK_BUCKETS = 8, 32  # sizes that a text's length, and the number of hidden places, may have
MIN_BUCKET = 8  # how far sizes are apart: below, padding costs nothing


def bucketed(batches: list[Batch], context_length: int, masked: bool) -> list[Batch]:
    """The same batches with lengths rounded up to a bucket; each loss is the same sum over the same targets.

    The micro-batches of a step get one shape, that of the largest: of shapes of their own there would be nearly as many
    combinations as steps.

    Args:
        batches: all micro-batches of one step, of as many texts each; of one text or two (``source_ids``), or with
            chosen ``rows``.
        context_length: no length is rounded beyond it.
        masked: whether the model must be told what is padding even where a batch has none (else a mask is filled up
            only where there is one: a causal model never looks to the right).
    """
    first = batches[0].inputs
    largest = lambda name: max(batch.inputs[name].shape[-1] for batch in batches)
    wide = _rounded(largest("input_ids"), context_length, LENGTH_BUCKETS)
    sizes = {"input_ids": wide}
    if masked or any("attention_mask" in batch.inputs for batch in batches):
        sizes["attention_mask"] = wide
    if "rows" in first:
        sizes["rows"] = _rounded(largest("rows"), len(first["input_ids"]) * wide, MASK_BUCKETS)
    if "source_ids" in first:
        sizes["source_ids"] = sizes["source_mask"] = _rounded(largest("source_ids"), context_length, LENGTH_BUCKETS)
    return [_padded_batch(batch, sizes) for batch in batches]


def _padded_batch(batch: Batch, sizes: dict[str, int]) -> Batch:
    """With inputs of these sizes and no others; masks that are missing are made."""
    inputs, targets = dict(batch.inputs), batch.targets
    length, wide = inputs["input_ids"].shape[1], sizes["input_ids"]
    for mask, of in (("attention_mask", "input_ids"), ("source_mask", "source_ids")):
        if mask in sizes and mask not in inputs:
            inputs[mask] = torch.ones_like(inputs[of], dtype=torch.bool)
    if "rows" in inputs:  # flat places in [texts, length]
        rows = inputs["rows"] // length * wide + inputs["rows"] % length
        other = torch.arange(
            sizes["rows"] - len(rows)
        )  # each once: gradients of one place many times over add up slowly
        inputs["rows"], targets = torch.cat([rows, other]), _padded(targets, sizes["rows"], IGNORE_INDEX)
    elif targets.dim() == 2:
        targets = _padded(targets, wide, IGNORE_INDEX)
    inputs = {name: tensor if name == "rows" else _padded(tensor, sizes[name], 0) for name, tensor in inputs.items()}
    return Batch(inputs, targets, batch.n_targets, batch.n_tokens)


def _rounded(size: int, most: int, sizes: int) -> int:
    """The next of at most ``sizes`` sizes up to ``most``; what is larger already stays."""
    unit = max(MIN_BUCKET, -(-most // sizes))
    return max(size, min(-(-max(size, 1) // unit) * unit, most))


def _padded(tensor: Tensor, size: int, value: int) -> Tensor:
    """``[..., size]``, filled up on the right."""
    missing = size - tensor.shape[-1]
    return F.pad(tensor, (0, missing), value=value) if missing else tensor
