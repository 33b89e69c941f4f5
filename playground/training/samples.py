"""What the model writes while it learns, and how sure it is of one passage of the validation text."""

from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from models.generate import LanguageModel, decode
from models.spec import ModelSpec
from playground.inference.sampling import Sampling, choose
from playground.runs.config import RunConfig
from playground.text.masking import apply_mlm_mask
from playground.text.prepare import Prepared
from playground.text.targets import IGNORE_INDEX
from playground.text.token_files import PairFile, TokenFile
from playground.training.batches import Rows, Sampler, rng, to_tensor
from playground.training.device import Device
from playground.training.objectives import Objective

SAMPLE_STREAM = 3
N_EXAMPLES = 3


class SampleLogger:
    """Writes a sample line at a step: a continuation, filled blanks, or answers, as the objective has it."""

    def __init__(self, config: RunConfig, prepared: Prepared, model: nn.Module, device: Device) -> None:
        self.config, self.prepared, self.model, self.device = config, prepared, model, device
        self.tokenizer = prepared.tokenizer

    def write(self, step: int) -> dict:
        """One object for ``samples.jsonl``: ``kind``, ``step`` and the texts. The draw is seeded by the step."""
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad(), self.device.autocast():
                if self.prepared.shape == "pairs" and self.config.training.objective != "mlm":
                    return self._answers(step)
                if self.config.training.objective == "mlm":
                    return self._blanks(step)
                return self._continuation(step)
        finally:
            self.model.train(was_training)

    def _continuation(self, step: int) -> dict:
        generator = rng(self.config.training.seed, step, SAMPLE_STREAM)
        prompt = self.config.training.sample_prompt
        ids = self.tokenizer.encode(self.tokenizer.to_continue(prompt)) if prompt else []
        ids = ids or self._opening()
        sampling = Sampling(temperature=0.8)
        pick = lambda logits: choose(logits.float().cpu().numpy(), sampling, generator)
        written = list(decode(cast(LanguageModel, self.model), ids, self.config.training.sample_max_new_tokens, pick))
        return {
            "kind": "text",
            "step": step,
            "prompt": self.tokenizer.decode(ids),
            "text": self.tokenizer.decode(written),
        }

    def _opening(self) -> list[int]:
        """With no prompt of the person's, the validation text's first line."""
        stream = cast(TokenFile, self.prepared.validation)
        return stream[: min(12, len(stream))].tolist()

    def _answers(self, step: int) -> dict:
        """Greedy answers to the first validation questions."""
        examples, pairs = [], cast(PairFile, self.prepared.validation)
        for index in range(min(N_EXAMPLES, len(pairs))):
            source, target = (list(ids) for ids in pairs[index])
            examples.append(
                {
                    "source": self.tokenizer.decode(source),
                    "target": self.tokenizer.decode(target),
                    "answer": self.tokenizer.decode(greedy_answer(self.model, source, self.tokenizer, len(target) + 8)),
                }
            )
        return {"kind": "answers", "step": step, "examples": examples}

    def _blanks(self, step: int) -> dict:
        """The same validation passage with the same blanks at every step, and what the model puts in them."""
        length = self.config.model.context_length
        if self.prepared.shape == "pairs":
            source, target = cast(PairFile, self.prepared.validation)[0]
            text = [*source, *target]
        else:
            stream = cast(TokenFile, self.prepared.validation)
            text = stream[: min(length, len(stream))].tolist()
        ids = np.array([self.tokenizer.with_special_tokens(text, length)], dtype=np.int64)
        generator = rng(self.config.training.seed, 0, SAMPLE_STREAM)
        mask_id, special = self.tokenizer.mask_id, self.tokenizer.special_ids
        _, hidden = apply_mlm_mask(ids, generator, self.config.training.mask_rate, mask_id, 0, special)
        shown = np.where(hidden, mask_id, ids)
        logits = self.model(to_tensor(shown).to(self.device.torch)).logits[0].float()
        best = logits.softmax(-1).max(-1)
        filled = ids[0].copy()
        places = np.flatnonzero(hidden[0])
        filled[places] = best.indices.cpu().numpy()[places]
        return {
            "kind": "blanks",
            "step": step,
            "tokens": self.tokenizer.pieces(ids[0].tolist()),
            "blanks": places.tolist(),
            "filled": self.tokenizer.pieces(filled.tolist()),
            "probabilities": [round(float(best.values[place]), 4) for place in places],
        }


def greedy_answer(model: nn.Module, source: list[int], tokenizer, max_new_tokens: int) -> list[int]:
    """The greedy answer to a question: after ``source <bos>`` for a decoder, from the encoder for a model of pairs."""
    spec = cast(ModelSpec, model.spec)
    if spec.reads_pairs:
        source = source[-spec.context_length :]
        written = decode(
            cast(LanguageModel, model),
            [tokenizer.bos_id],
            max_new_tokens,
            stop_ids=(tokenizer.eos_id,),
            source_ids=source,
        )
    else:
        written = decode(
            cast(LanguageModel, model), [*source, tokenizer.bos_id], max_new_tokens, stop_ids=(tokenizer.eos_id,)
        )
    return [token for token in written if token != tokenizer.eos_id]


class ProbabilityTracker:
    """One fixed passage of the validation data: how likely the model finds each of its tokens, at every evaluation.

    Hovering a token in the app shows when it was learned.
    """

    def __init__(self, sampler: Sampler, objective: Objective, tokenizer) -> None:
        rows: Rows = sampler.validation_rows(np.array([0]))
        self.batch = objective.batch(objective.apply_mlm_mask(rows, 0, stream=2))
        asked = self.batch.targets.flatten()
        self.tokens = tokenizer.pieces(asked[asked != IGNORE_INDEX].tolist())

    @torch.no_grad()
    def probabilities(self, model: nn.Module, device: Device) -> list[float]:
        """The probability of each token of ``tokens``, rounded to 4 digits."""
        batch = self.batch.to(device)
        with device.autocast():
            logits = model(**batch.forward_inputs()).logits.float().flatten(0, -2)
        targets = batch.targets.flatten()
        chosen = F.softmax(logits, -1).gather(1, targets.clamp(min=0)[:, None])[:, 0]
        return [round(value, 4) for value in chosen[targets != IGNORE_INDEX].tolist()]
