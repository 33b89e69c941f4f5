"""Looking into a model while it learns: what a page asks for is answered after an optimizer step.

A watched run learns exactly what an unwatched one learns. A look reads the text with the plain model in evaluation mode, draws
nothing from the training's random numbers (their states are put back all the same), and writes into nothing that training
reads. Whatever goes wrong in it is told, and the training goes on.
"""

import contextlib
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from playground.core.errors import Message, PlaygroundError, UserError, sentences, shortened
from playground.labelled.prepare import LabelledSet
from playground.runs import look
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.frames import Frame, to_bytes
from playground.runs.look import LookRequest
from playground.text.prepare import Prepared
from playground.training import look_tensors
from playground.training.device import Device
from playground.training.look_prompt import PromptWriter
from playground.training.look_tensors import Reading
from playground.training.look_text import LookText, LookTexts
from playground.training.train_state import Progress

POLL_SECONDS = 0.1  # between looks at the folder
SHORTEST_GAP = 0.25  # seconds between two answers
USUAL_GAP = 0.35  # seconds: more than two answers a second, also after the step that each waits for
PROMPT_GAP = 1.0
LIKELIEST = 16
MOST_SAID = 20  # different errors that the log is told of


def gap_after(seconds: float) -> float:
    """How long to wait after an answer that took so long: a look costs a twentieth of the time, at most a tenth."""
    return max(SHORTEST_GAP, min(20 * seconds, USUAL_GAP), 10 * seconds)


@dataclass
class Remembered:
    """What the next look is compared with.

    Attributes:
        request: with which text and names it was taken.
        step: after how many steps.
        values: of activations, by name.
    """

    request: LookRequest
    step: int
    values: dict[str, np.ndarray]

    def is_for(self, request: LookRequest) -> bool:
        """Whether the same tensors of the same text are asked for."""
        same = lambda one: (one.text, one.source, one.names)
        return same(self.request) == same(request)


class Looker:
    """Answers the looks into one run. Only the leader has one.

    Args:
        folder, config, prepared, model, device: of the run; the model as it is, neither compiled nor wrapped.
        texts: makes what is read.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        prepared: Prepared | LabelledSet,
        texts: LookTexts,
        model: nn.Module,
        device: Device,
    ) -> None:
        self.folder, self.spec, self.prepared = folder, config.model, prepared
        self.texts, self.model, self.device = texts, model, device
        self.writer = PromptWriter(config, prepared, model, device)
        self.due: LookRequest | None = None
        self.next_poll = self.next_answer = self.next_written = 0.0
        self.last_prompt = ""
        self.answered: tuple[int, LookRequest] | None = None
        self.before: Remembered | None = None
        self.weights_before: dict[str, Tensor] | None = None
        self.said: set[str] = set()
        look.tidy(folder)

    def before_step(self, step: int, last: bool) -> None:
        """Sees whether this step is to be looked at, and keeps what it will be compared with.

        Args:
            step: how many were made.
            last: whether the run ends or pauses after it: then it is looked at however short the last look is ago.
        """
        self.due = self.weights_before = None
        now = time.monotonic()
        if not last and (now < self.next_poll or now < self.next_answer):
            return
        self.next_poll = now + POLL_SECONDS
        self.due = look.asked(self.folder)
        if self.due is not None:
            with self._told(), self._apart():
                self._prepare(self.due, step, last)

    def after_step(self, progress: Progress, train_loss: Tensor) -> None:
        """Answers, if this step is looked at."""
        if self.due is not None:
            self._answer(self.due, progress, train_loss)

    def at_end(self, progress: Progress, train_loss: Tensor | None) -> None:
        """Answers before the run ends or pauses: what is asked now, and was not answered after this very step."""
        request = look.asked(self.folder)
        if request is None or self.answered == (progress.step, request):
            return
        if not self._can_compare(request):
            return  # this step was not known to be the last; an earlier one has been shown
        self._answer(request, progress, train_loss)

    def _can_compare(self, request: LookRequest) -> bool:
        """Whether there is something to compare with, where a change is asked for."""
        if request.kind == "weights_change":
            return self.weights_before is not None
        return request.kind != "change" or (self.before is not None and self.before.is_for(request))

    def _prepare(self, request: LookRequest, step: int, last: bool) -> None:
        """Weights are compared over the one step that comes; activations from look to look, over one step where it is the last."""
        if request.kind == "weights_change":
            known = look_tensors.weights_of(self.model, request.names)
            self.weights_before = {name: value.detach().clone() for name, value in known.items()}
        elif request.kind == "change" and (last or self.before is None or not self.before.is_for(request)):
            reading = self._read(request, self.texts.text(request.text, request.source))
            self.before = Remembered(request, step, reading.values)

    def _answer(self, request: LookRequest, progress: Progress, train_loss: Tensor | None) -> None:
        began = time.monotonic()
        errors: list[str] = []
        with self._told(errors), self._apart():
            if not self._can_compare(request):
                raise PlaygroundError("What was there before this step could not be kept, so its change is not known.")
            missing = self._show(request, progress, train_loss)
            if missing:
                errors.append(_not_there(missing))
        took = time.monotonic() - began
        self.next_answer = time.monotonic() + gap_after(took)
        with self._told(errors), self._apart():
            self._write(request.prompt, progress.step)
        self.answered = progress.step, request
        with self._told():
            if errors:
                look.write_error(self.folder, sentences(*errors))
            else:
                look.clear_error(self.folder)

    def _show(self, request: LookRequest, progress: Progress, train_loss: Tensor | None) -> list[str]:
        """Writes the frame; returns the names that were asked for and are not there."""
        if request.kind in ("weights", "weights_change"):
            text, reading, more = self._weights(request, progress.step)
        else:
            text, reading, more = self._activations(request, progress.step)
        missing = [name for name in request.names if name not in reading.values]
        if missing and len(missing) == len(request.names):
            return missing
        asked = [request.text, request.source]  # who asked for another text knows that the frame is not theirs
        about = self._about(text, reading, progress, train_loss) | {"kind": request.kind, "asked": asked} | more
        with np.errstate(over="ignore"):  # beyond 65,504 float16 says infinite
            data = to_bytes(Frame(about, {name: value.astype(np.float16) for name, value in reading.values.items()}))
        look.write_answer(self.folder, data)
        return missing

    def _activations(self, request: LookRequest, step: int) -> tuple[LookText, Reading, dict[str, Any]]:
        text = self.texts.text(request.text, request.source)
        if request.kind == "gradients":
            reading = look_tensors.gradients(self.model, text, self.device, _keep(request))
            if reading is None:
                raise PlaygroundError(
                    "This text asks nothing of the model, so there is no loss and no gradient.",
                    "Look at the fixed text of the validation data, or type a longer one.",
                )
            return text, _shown(reading, request), {}
        reading = self._read(request, text)
        before, self.before = self.before, Remembered(request, step, reading.values)
        if request.kind == "values" or before is None:
            return text, reading, {}
        values = {name: value - before.values[name] for name, value in reading.values.items()}
        return text, Reading(values, reading.probabilities, reading.loss), {"since": before.step}

    def _read(self, request: LookRequest, text: LookText) -> Reading:
        return _shown(look_tensors.activations(self.model, text, self.device, _keep(request)), request)

    def _weights(self, request: LookRequest, step: int) -> tuple[LookText, Reading, dict[str, Any]]:
        """Weights, or their change, with what the model makes of the text beside them."""
        text = self.texts.text(request.text, request.source)
        reading = look_tensors.activations(self.model, text, self.device, lambda name: False)
        weights, since = look_tensors.weights_of(self.model, request.names), {}
        if request.kind == "weights_change":
            before = self.weights_before or {}
            weights, since = {name: value - before[name] for name, value in weights.items()}, {"since": step - 1}
        on_host = {name: value.detach().float().cpu().numpy() for name, value in weights.items()}
        shown, sampled = look_tensors.shown_weights(on_host)
        return text, Reading(shown, reading.probabilities, reading.loss), {"sampled": sampled} | since

    def _about(self, text: LookText, reading: Reading, progress: Progress, train_loss: Tensor | None) -> dict[str, Any]:
        pieces = self.texts.tokenizer.pieces
        source = text.source_ids
        return {
            "step": progress.step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 4),
            "loss": _finite(reading.loss),
            "train_loss": _finite(None if train_loss is None else float(train_loss)),
            "architecture": self.spec.architecture,
            "n_layers": self.spec.n_layers,
            "n_heads": self.spec.n_heads,
            "ids": text.ids,
            "pieces": pieces(text.ids),
            "source_ids": source,
            "source_pieces": None if source is None else pieces(source),
            "likeliest": self._likeliest(reading.probabilities),
            "position": text.position,
            "targets": text.targets,
        }

    def _likeliest(self, probabilities: np.ndarray) -> list[list[Any]]:
        """The likeliest tokens (or labels) as [id, piece, probability]; none where a weight is no number any more."""
        if not np.isfinite(probabilities).all():
            return []
        best = np.argsort(-probabilities, kind="stable")[:LIKELIEST].tolist()
        return [[code, self._piece(code), round(float(probabilities[code]), 6)] for code in best]

    def _piece(self, code: int) -> str:
        if isinstance(self.prepared, LabelledSet):
            return self.prepared.labels[code]
        tokenizer = self.prepared.tokenizer
        return tokenizer.pieces([code])[0] if code < tokenizer.size else ""

    def _write(self, prompt: str, step: int) -> None:
        """Writes on from a new prompt at once, from the same one from time to time."""
        if not prompt:
            self.last_prompt = ""
            return
        if prompt == self.last_prompt and time.monotonic() < self.next_written:
            return
        began = time.monotonic()
        self.last_prompt = prompt
        try:
            text = self.writer.write(prompt, step)
            look.write_written(self.folder, prompt, text, step)
        finally:
            took = time.monotonic() - began
            self.next_written = time.monotonic() + max(PROMPT_GAP, 20 * took)

    @contextlib.contextmanager
    def _apart(self) -> Iterator[None]:
        """Inside, the model is in evaluation mode; afterwards it and all random states are as before."""
        cuda = self.device.kind == "cuda"
        chances = torch.get_rng_state(), np.random.get_state(), random.getstate()
        on_gpu = torch.cuda.get_rng_state(self.device.torch) if cuda else None
        was_training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(was_training)
            torch.set_rng_state(chances[0])
            np.random.set_state(chances[1])
            random.setstate(chances[2])
            if on_gpu is not None:
                torch.cuda.set_rng_state(on_gpu, self.device.torch)

    @contextlib.contextmanager
    def _told(self, errors: list[str] | None = None) -> Iterator[None]:
        """Inside, whatever goes wrong is said, once in the log, and the training goes on.

        Args:
            errors: what the page is told too.
        """
        try:
            yield
        except Exception as error:  # whatever it is, the training is worth more than a picture
            message = _sentence(error)
            if errors is not None:
                errors.append(message)
            if message not in self.said and len(self.said) < MOST_SAID:
                self.said.add(message)
                with contextlib.suppress(OSError), open(self.folder.log_path, "a", encoding="utf-8") as file:
                    file.write(f"Looking into the model did not work: {message}\n")


def _keep(request: LookRequest):
    """Which activations a request is about."""
    return set(request.names).__contains__ if request.names else look_tensors.is_default


def _shown(reading: Reading, request: LookRequest) -> Reading:
    """What was asked for by name as it is; the default set within a frame's usual size."""
    if request.names:
        return reading
    return Reading(look_tensors.within_room(reading.values), reading.probabilities, reading.loss)


def _not_there(names: list[str]) -> Message:
    """Says which tensors the model does not have."""
    shown = ", ".join(shortened(name, 60) for name in names[:3])
    if len(names) > 3:
        return Message("The model has no tensors {names} and {more} more.", names=shown, more=len(names) - 3)
    if len(names) > 1:
        return Message("The model has no tensors {names}.", names=shown)
    return Message("The model has no tensor {names}.", names=shown)


def _sentence(error: Exception) -> str:
    """An error as somebody reads it."""
    if isinstance(error, UserError):
        return sentences(error.message, error.hint)
    if isinstance(error, OSError):
        return Message("The picture could not be written: {reason}.", reason=error.strerror or error)
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return Message("The picture could not be made: {reason}", reason=shortened(reason, 300))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
