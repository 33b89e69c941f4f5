"""A model in PyTorch behind the interface of an export: used where there is no export."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from models.generate import decode
from models.language_model import AnyModel, LanguageModel
from models.spec import ModelSpec
from models.transformer import Source
from playground.core.errors import PlaygroundError
from playground.inference.engine import GeneratedToken
from playground.inference.generator import sample_one
from playground.inference.sampling import Sampling, choose, softmax
from playground.training.batches import pad

M = TypeVar("M", bound=nn.Module)


class _InTorch:
    """What `TorchGenerator` and `TorchEncoder` share.

    Attributes:
        about: the spec of the model.
        provider: what runs it: "CPU" or "CUDA".
    """

    about: ModelSpec

    def __init__(self, model: AnyModel) -> None:
        self.about = model.spec
        self.device = next(model.parameters()).device
        self.provider = self.device.type.upper()

    @property
    def ran_by(self) -> str:
        """What runs it, in words, such as "PyTorch (CPU)"."""
        return f"PyTorch ({self.provider})"

    def _ids(self, ids: Sequence[Sequence[int]] | np.ndarray) -> Tensor:
        """``[batch, length]``, on the model's device."""
        return torch.as_tensor(np.asarray(ids, dtype=np.int64)).to(self.device)


class TorchGenerator(_InTorch):
    """A model that continues texts; its methods are those of `playground.inference.engine.Engine`."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__(model)
        self.model = model

    def clone(self) -> "TorchGenerator":
        """Itself: the state of a text is kept by its iterator."""
        return self

    @torch.inference_mode()
    def generate(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        sampling: Sampling = Sampling(temperature=0),
        seed: int | None = 0,
        stop: Sequence[int] = (),
        source_ids: Sequence[int] | None = None,
    ) -> Iterator[int]:
        """As `predict.TextGenerator.generate`."""
        seen, rng = list(ids), np.random.default_rng(seed)
        pick = lambda logits: choose(_numpy(logits), sampling, rng, seen)
        for token in decode(self.model, ids, max_new_tokens, pick, stop, source_ids):
            seen.append(token)
            yield token

    @torch.inference_mode()
    def write(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        sampling: Sampling,
        rng: np.random.Generator,
        stop: Sequence[int] = (),
        source_ids: Sequence[int] | None = None,
    ) -> Iterator[GeneratedToken]:
        """As `predict.TextGenerator.write`."""
        seen, last = list(ids), [GeneratedToken(0, 0.0, 0.0)]

        def pick(logits: Tensor) -> int:
            last[0] = GeneratedToken(*sample_one(_numpy(logits), sampling, rng, seen))
            return last[0].token

        for token in decode(self.model, ids, max_new_tokens, pick, stop, source_ids):
            seen.append(token)
            yield last[0]

    @torch.inference_mode()
    def next_logits(self, ids: Sequence[int], source_ids: Sequence[int] | None = None) -> np.ndarray:
        """As `predict.TextGenerator.next_logits`."""
        last = torch.tensor([len(ids) - 1], device=self.device)
        return _numpy(self.model(self._ids([ids]), rows=last, **self._source(source_ids)).logits[0])

    @torch.inference_mode()
    def all_logits(self, ids: Sequence[int], source_ids: Sequence[int] | None = None) -> np.ndarray:
        """As `predict.TextGenerator.all_logits`."""
        return _numpy(self.model(self._ids([ids]), **self._source(source_ids)).logits[0])

    def _source(self, ids: Sequence[int] | None) -> dict[str, Source]:
        return {} if ids is None else {"source": Source(memory=self.model.encode(self._ids([ids])))}


class TorchEncoder(_InTorch):
    """A model that reads whole texts; its methods are those of `playground.inference.onnx_encoder.OnnxEncoder`.

    Args:
        model: a masked language model, or a `models.heads.ModelWithHead`.
        pad_id: token id of padding.
    """

    def __init__(self, model: AnyModel, pad_id: int) -> None:
        super().__init__(model)
        self.model = model
        self.pad_id = pad_id

    @torch.inference_mode()
    def logits(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits: of a classifier ``[texts, classes]``, of a tagger or masked language model ``[texts, longest, tags or tokens]``."""
        ids, lengths = pad(texts, self.pad_id)
        padding_mask = torch.from_numpy(np.arange(ids.shape[1]) < lengths[:, None]).to(self.device)
        mask = None if lengths.min() == lengths.max() else padding_mask
        return _numpy(self.model(self._ids(ids), attention_mask=mask).logits)

    def probabilities(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """Softmax of :meth:`logits`, float64 of the same shape."""
        return softmax(self.logits(texts).astype(np.float64))


def placed(model: M, device: str = "auto") -> M:
    """Moves a model to a device.

    Args:
        device: "cpu", "cuda", or "auto": a CUDA GPU where PyTorch finds one.

    Raises:
        PlaygroundError: when there is no such device.
    """
    there = device != "cpu" and torch.cuda.is_available()
    if device == "cuda" and not there:
        raise PlaygroundError("PyTorch finds no CUDA GPU here.", "Choose device 'auto' or 'cpu'.")
    return model.to("cuda" if there else "cpu")


def _numpy(logits: Tensor) -> np.ndarray:
    return logits.float().cpu().numpy()
