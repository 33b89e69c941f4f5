"""Speed of all engines on one model and prompt: they take turns of a moment, so that a busy machine slows all alike."""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from models.language_model import LanguageModel
from playground.core.background_job import BackgroundJob
from playground.generation.torch_model import placed
from playground.inference.engine import Engine, precisions_of
from playground.inference.gpu_thread import on_gpu

TURN = 0.04  # seconds
SETTLE = 0.03  # seconds between turns: threads of the last engine wait for work so long, and would slow the next one


@dataclass
class EngineRun:
    """One engine and what it has generated.

    Attributes:
        name: "torch, no cache", "ONNX fp32" …
        provider: where it runs: "CPU" or "CUDA".
        tokens, seconds: number of tokens so far, and the time they took.
        error: why it failed; "" if it did not.
        text: the token ids.
    """

    name: str
    provider: str = "CPU"
    tokens: int = 0
    seconds: float = 0.0
    error: str = ""
    text: list[int] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds if self.seconds else 0.0


def engines_of(
    model: LanguageModel, folder: Path, prompt: list[int], max_new_tokens: int, source: list[int] | None = None
) -> dict[str, tuple[str, Callable[[], Iterator[int]]]]:
    """All engines: by name, the provider and a function that starts generating. Torch and ONNX Runtime use a GPU if there is one.

    Args:
        model: the run's model in torch.
        folder: of its export.
        prompt: token ids, at least one.
        source: for an encoder–decoder, the source text.

    Raises:
        PlaygroundError: when a file of the export cannot be used.
    """
    has_gpu = torch.cuda.is_available()
    model = placed(copy.deepcopy(model)) if has_gpu else model  # the app's own stays where it is

    def torch_way(use_cache: bool) -> Iterator[int]:
        from models.generate import decode

        tokens = decode(model, prompt, max_new_tokens, source_ids=source, use_cache=use_cache)
        return _one_by_one(tokens) if has_gpu else tokens

    there = "CUDA" if has_gpu else "CPU"
    found: dict[str, tuple[str, Callable[[], Iterator[int]]]] = {
        "torch, no cache": (there, lambda: torch_way(False)),
        "torch, cache": (there, lambda: torch_way(True)),
    }
    for precision in precisions_of(folder):
        engine = Engine(folder, precision, threads=torch.get_num_threads())  # as many as torch has
        write = lambda engine=engine: engine.generate(prompt, max_new_tokens, source_ids=source)
        found[f"ONNX {precision}"] = engine.provider, write
    return found


def _one_by_one(tokens: Iterator[int]) -> Iterator[int]:
    """Runs each step in the GPU thread: PyTorch allocates memory, which must not happen while a CUDA graph is captured."""
    while (token := on_gpu(next, tokens, None)) is not None:
        yield token


class EngineComparison(BackgroundJob):
    """Runs all engines in turn, in a thread; ``runners`` shows how far they are.

    Args:
        model, folder: the run in torch and its export.
        prompt: at least one token.
        max_new_tokens: tokens that each writes.
        source: of an encoder–decoder, what all answer.
    """

    def __init__(
        self,
        model: LanguageModel,
        folder: Path,
        prompt: list[int],
        max_new_tokens: int = 128,
        source: list[int] | None = None,
    ) -> None:
        self.max_new_tokens = max_new_tokens
        self._ways = engines_of(model, folder, prompt, max_new_tokens, source)
        self.runners = [EngineRun(name, provider) for name, (provider, _) in self._ways.items()]
        super().__init__("engines")

    def work(self) -> None:
        going = {runner.name: self._ways[runner.name][1]() for runner in self.runners}
        while going and not self._stop.is_set():
            for runner in self.runners:
                if runner.name in going and not self._turn(runner, going[runner.name]):
                    del going[runner.name]

    def _turn(self, runner: EngineRun, tokens: Iterator[int]) -> bool:
        """Lets one engine generate for a moment; False when it has finished or failed."""
        self._stop.wait(SETTLE)
        until = time.perf_counter() + TURN
        try:
            while not self._stop.is_set():
                start = time.perf_counter()
                token = next(tokens, None)
                now = time.perf_counter()
                runner.seconds += now - start
                if token is None:
                    return False
                runner.text.append(token)
                runner.tokens += 1
                if now > until:
                    return True
        except Exception as error:  # one way that fails must not end the others
            runner.error = str(error).splitlines()[0][:200]
        return False


def same_share(runner: EngineRun, best: EngineRun) -> float:
    """The share (0 to 1) of its text, counted from the beginning, that is the same as the other's."""
    n = min(len(runner.text), len(best.text))
    same = next((i for i in range(n) if runner.text[i] != best.text[i]), n)
    return same / n if n else 0.0
