"""Generating text with an exported model, without torch: one token at a time, or many texts at once."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground.core.errors import PlaygroundError
from playground.inference.attentive_decoder import AttentiveDecoder
from playground.inference.export_manifest import MANIFEST, RECURRENT, ExportManifest, graph_file, precisions_of, ran_by
from playground.inference.fused_decoder import FusedDecoder, FusedEncoderDecoder
from playground.inference.generator import Generator
from playground.inference.rnn_decoder import RnnDecoder
from playground.inference.sampling import Sampling
from playground.inference.standard_decoder import StandardDecoder

__all__ = [
    "MANIFEST",
    "RECURRENT",
    "ExportManifest",
    "FusedDecoder",
    "Engine",
    "FusedEncoderDecoder",
    "StandardDecoder",
    "RnnDecoder",
    "AttentiveDecoder",
    "Generator",
    "GeneratedToken",
    "graph_file",
    "precisions_of",
    "ran_by",
]
FULL_PRECISION = ("fp32", "kv8")  # precisions that compute in 32 bits on CUDA, too


@dataclass(frozen=True)
class GeneratedToken:
    """One generated token.

    Attributes:
        token: its id.
        probability: its probability under the model, before any step of sampling.
        drawn: its probability when it was sampled, after every step of sampling.
    """

    token: int
    probability: float
    drawn: float


class Engine:
    """An exported model that generates text.

    Args:
        folder: of the export.
        precision: which of its files: "fp32", "int8" …; "auto" takes fp32 on a CPU, and on CUDA the same weights in 16 bits
            where the graph is a fused one.
        batch: number of texts that are generated at once.
        device: "auto", "cuda" or "cpu".
        threads: of the CPU; 0 chooses by the size of the model.

    Attributes:
        about: what is known of the model.
        model: the decoder that runs it.
        fused: whether the export has a fused graph.

    Raises:
        PlaygroundError: when the folder or a file of it cannot be used.
    """

    def __init__(
        self,
        folder: Path | str,
        precision: str = "auto",
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        folder = Path(folder)
        self.about = ExportManifest.load(folder)
        if self.about.task or self.about.objective == "mlm":
            raise PlaygroundError(
                "This model reads text; it does not continue it.", "Use playground.inference.onnx_encoder."
            )
        file = "fp32" if precision == "auto" else precision
        fused = folder / f"fused.{file}.onnx"
        self.fused = fused.exists()
        self.model: Generator
        if self.fused and self.about.architecture == "encoder-decoder":
            encoder = graph_file(folder, "encoder_model", file)
            self.model = FusedEncoderDecoder(
                encoder, fused, self.about, batch, device, threads, precision not in FULL_PRECISION
            )
        elif self.fused:
            self.model = FusedDecoder(fused, self.about, batch, 0, device, threads, precision not in FULL_PRECISION)
        elif self.about.architecture == "lstm-attention":
            self.model = AttentiveDecoder(folder, self.about, batch, device, threads, file)
        elif self.about.architecture in RECURRENT:
            self.model = RnnDecoder(graph_file(folder, "model", file), self.about, batch, device, threads)
        else:
            self.model = StandardDecoder(folder, self.about, batch, device, threads, file)
        self._asked = precision, file

    @property
    def provider(self) -> str:
        """What really runs it: "CPU" or "CUDA"."""
        return self.model.provider

    @property
    def precision(self) -> str:
        """The precision that really runs."""
        asked, file = self._asked
        return "fp16" if asked == "auto" and self.fused and self.provider == "CUDA" else file

    @property
    def uncaptured_reason(self) -> str:
        """Why a decoding step is not replayed as one CUDA graph; "" where it is."""
        return self.model.uncaptured_reason

    @property
    def ran_by(self) -> str:
        """What really runs, such as "ONNX Runtime (CUDA, fp16, CUDA graph)"."""
        return ran_by(self.provider, self.precision, not self.uncaptured_reason)

    def clone(self) -> "Engine":
        """The same weights with a cache of its own, so that two can generate at the same time."""
        made = copy.copy(self)
        made.model = self.model.clone()
        return made

    def generate(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        sampling: Sampling = Sampling(temperature=0),
        seed: int | None = 0,
        stop: Sequence[int] = (),
        source_ids: Sequence[int] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        choose: Callable[[np.ndarray], int] | None = None,
    ) -> Iterator[int]:
        """The tokens that follow a prompt, one by one.

        When the context is full, its last half is read anew, as in `models.generate`.

        Args:
            ids: the prompt, at least one token; what exceeds the context is cut on the left.
            max_new_tokens: tokens to generate at most.
            sampling: how tokens are sampled; greedy decoding by default.
            seed: the same seed gives the same text; None: a random one.
            stop: tokens that end the text and are not yielded.
            source_ids: models of pairs: the source text.
            cancelled: asked after each token; True ends the text.
            choose: picks a token from logits ``[vocabulary]`` instead of ``sampling``.

        Raises:
            PlaygroundError: when the prompt is empty, or a source is missing.
            RunFailed: when ONNX Runtime cannot run the model.
        """
        model, rng = self.model, np.random.default_rng(seed)
        if choose:
            yield from self._follow(
                ids, max_new_tokens, lambda written: int(choose(model.logits[0])), stop, source_ids, cancelled, True
            )
        elif sampling.temperature == 0 and sampling.repetition_penalty == 1.0:
            yield from self._greedy(ids, max_new_tokens, stop, source_ids, cancelled)
        else:
            drawn = lambda written: int(model.sample(sampling, rng, [written])[0][0])
            yield from self._follow(ids, max_new_tokens, drawn, stop, source_ids, cancelled)

    def write(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        sampling: Sampling,
        rng: np.random.Generator,
        stop: Sequence[int] = (),
        source_ids: Sequence[int] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[GeneratedToken]:
        """As :meth:`generate`, with the probabilities of each token; where possible the logits stay on the GPU."""
        told: list[GeneratedToken] = []

        def pick(written: list[int]) -> int:
            tokens, probabilities, drawn = self.model.sample(sampling, rng, [written])
            told[:] = [GeneratedToken(int(tokens[0]), float(probabilities[0]), float(drawn[0]))]
            return told[0].token

        for _ in self._follow(ids, max_new_tokens, pick, stop, source_ids, cancelled):
            yield told[0]

    def _follow(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        pick: Callable[[list[int]], int],
        stop: Sequence[int],
        source_ids: Sequence[int] | None,
        cancelled: Callable[[], bool],
        own: bool = False,
    ) -> Iterator[int]:
        """Token after token; ``own``: ``pick`` chose the token itself, so the model must be given it."""
        model, written, max_length = self.model, list(ids), self._begin(ids, max_new_tokens, source_ids)
        for i in range(max_new_tokens):
            token = pick(written)
            if token in stop or cancelled():
                return
            yield token
            written.append(token)
            if i + 1 == max_new_tokens:
                return
            if int(model.length[0]) >= max_length:
                model.start([written[-max(1, max_length // 2) :]])
            else:
                model.advance(np.array([token]) if own else None)

    def _greedy(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        stop: Sequence[int],
        source_ids: Sequence[int] | None,
        cancelled: Callable[[], bool],
    ) -> Iterator[int]:
        """Greedy decoding: token by token on a CPU, in blocks on a GPU, where fetching each token would make it wait."""
        model, written, max_length = self.model, list(ids), self._begin(ids, max_new_tokens, source_ids)
        left = max_new_tokens
        while left > 0:
            n = min(left, model.block, max_length - int(model.length[0]) + 1)
            for token in model.greedy_block(n)[0].tolist():
                if token in stop or cancelled():
                    return
                yield token
                written.append(token)
            left -= n
            if left and int(model.length[0]) >= max_length:
                model.start([written[-max(1, max_length // 2) :]])
            elif left:
                model.advance()

    def _begin(self, ids: Sequence[int], max_new_tokens: int, source_ids: Sequence[int] | None) -> int:
        """Reads a prompt; returns how many tokens the model can see."""
        if source_ids is not None:
            self.model.encode_source(source_ids)
        max_length = len(ids) + max_new_tokens if self.about.is_recurrent else self.about.context_length
        self.model.start([list(ids)[-max_length:]])
        return max_length

    def all_logits(self, ids: Sequence[int], source_ids: Sequence[int] | None = None) -> np.ndarray:
        """Logits of the token after each token of a text, float32 ``[length, vocabulary]``.

        A text that is being generated is not touched.

        Raises:
            PlaygroundError: when the text is empty, or longer than the context.
        """
        return self.model.all_logits(ids, 0, source_ids)

    def next_logits(self, ids: Sequence[int], source_ids: Sequence[int] | None = None) -> np.ndarray:
        """Logits of the token after a text, float32 ``[vocabulary]``; what exceeds the context is cut on the left.

        Raises:
            PlaygroundError: when the text is empty, or a source is missing.
        """
        ids = list(ids) if self.about.is_recurrent else list(ids)[-self.about.context_length :]
        return self.model.all_logits(ids, len(ids) - 1, source_ids)[0]

    def batched(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[list[int]]:
        """Greedy continuations of several prompts at once, each of ``max_new_tokens`` or to the end of the context.

        Args:
            prompts: as many as the engine's ``batch``.

        Raises:
            PlaygroundError: when a prompt is empty or longer than the context.
        """
        self.model.start(prompts)
        max_new_tokens = min(max_new_tokens, self.model.max_length - int(self.model.length.max()))
        return self.model.greedy_block(max_new_tokens).tolist() if max_new_tokens > 0 else [[] for _ in prompts]
