"""What a training model writes now, from a prompt that somebody watching has typed."""

import time
from typing import cast

import torch
from torch import nn

from models.generate import LanguageModel, decode
from playground.core.errors import PlaygroundError
from playground.inference.sampling import Sampling, choose
from playground.labelled.prepare import LabelledSet
from playground.runs.config import RunConfig
from playground.text.prepare import Prepared
from playground.training.batches import rng
from playground.training.device import Device
from playground.training.samples import greedy_answer

MOST_WRITTEN = 40  # tokens
LONGEST_PROMPT = 64  # tokens, the last ones
MOST_SECONDS = 0.25  # of a model so slow that the training would stand still meanwhile, fewer tokens
PROMPT_STREAM = 4
TEMPERATURE = 0.8  # as in the samples


class PromptWriter:
    """Writes on from prompts as the run's samples do: a continuation, an answer, filled blanks, or labels."""

    def __init__(self, config: RunConfig, prepared: Prepared | LabelledSet, model: nn.Module, device: Device) -> None:
        self.config, self.prepared, self.model, self.device = config, prepared, model, device
        self.tokenizer = prepared.tokenizer

    def write(self, prompt: str, step: int) -> str:
        """What follows the prompt, at most MOST_WRITTEN tokens. The draw is seeded by the step, with a generator of its own.

        Raises:
            PlaygroundError: when there is nothing to write from.
        """
        with torch.no_grad(), self.device.autocast():
            if isinstance(self.prepared, LabelledSet):
                return self._labels(prompt, self.prepared)
            if self.config.training.objective == "mlm":
                return self._filled(prompt)
            if self.prepared.shape == "pairs":
                return self._answer(prompt)
            return self._continuation(prompt, step)

    def _continuation(self, prompt: str, step: int) -> str:
        before = self.tokenizer.frame[0]
        ids = [*before, *self.tokenizer.encode(self.tokenizer.to_continue(prompt))[-LONGEST_PROMPT:]]
        generator, sampling = rng(self.config.training.seed, step, PROMPT_STREAM), Sampling(temperature=TEMPERATURE)
        pick = lambda logits: choose(logits.float().cpu().numpy(), sampling, generator)
        until, written = time.monotonic() + MOST_SECONDS, []
        for token in decode(cast(LanguageModel, self.model), ids or [self.tokenizer.eos_id], MOST_WRITTEN, pick):
            written.append(token)
            if time.monotonic() > until:
                break
        return self.tokenizer.decode(written)

    def _answer(self, prompt: str) -> str:
        template = self.config.data.template
        ids = self.tokenizer.encode(template.replace("{question}", prompt))
        return self.tokenizer.decode(greedy_answer(self.model, ids[-LONGEST_PROMPT:], self.tokenizer, MOST_WRITTEN))

    def _filled(self, prompt: str) -> str:
        """The text with the likeliest token in the place of each mask."""
        ids = self.tokenizer.encode(prompt, specials=True)[:LONGEST_PROMPT]
        if self.tokenizer.mask_id not in ids:
            raise PlaygroundError(
                "This model fills in masked words, and there is none.", "Type <mask> in place of a word."
            )
        framed = self.tokenizer.with_special_tokens(ids, self.config.model.context_length)
        best = self._logits(framed).argmax(-1).tolist()
        filled = [
            guess if token == self.tokenizer.mask_id else token for token, guess in zip(framed, best, strict=True)
        ]
        return self.tokenizer.decode(filled)

    def _labels(self, prompt: str, data: LabelledSet) -> str:
        """The likeliest label of the text, or of each of its tokens."""
        ids = self.tokenizer.with_special_tokens(self.tokenizer.encode(prompt), LONGEST_PROMPT)
        best = self._logits(ids or [self.tokenizer.eos_id]).reshape(-1, len(data.labels)).argmax(-1).tolist()
        return " ".join(data.labels[code] for code in best)

    def _logits(self, ids: list[int]) -> torch.Tensor:
        """``[length, vocabulary]``, or of a whole text's label ``[labels]``."""
        return self.model(torch.tensor([ids], dtype=torch.long, device=self.device.torch)).logits[0].float()
