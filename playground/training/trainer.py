"""The training loop: one optimizer step after another, everything about it written to the run folder."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from models.costs import memory
from models.factory import build
from models.parameter_counts import parameter_counts
from playground.core.errors import PlaygroundError
from playground.labelled.prepare import LabelledSet
from playground.runs import snapshots
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.throughput import free_memory
from playground.text.prepare import Prepared
from playground.training.apply_finetuning import apply_finetuning, lr_multipliers
from playground.training.batches import Batch, Rows, Sampler
from playground.training.bucketing import bucketed
from playground.training.checkpoint_io import restore_checkpoint, save_checkpoint, save_snapshot
from playground.training.device import Device, peak_memory
from playground.training.distributed import Group, mean_scale
from playground.training.examples import ExampleLogger
from playground.training.graphs import NotRecorded, StepGraphs, can_be_recorded
from playground.training.labelled import (
    LabelledObjective,
    LabelledProbabilityTracker,
    LabelledSampleLogger,
    LabelledSampler,
)
from playground.training.load_model import copy_parent_head, copy_parent_weights, load_parent, starts_from_parent
from playground.training.look import Looker
from playground.training.look_text import LookTexts
from playground.training.objectives import Objective
from playground.training.optimizers import LearningRates, build_optimizers, init_state
from playground.training.run_logger import Listener, RunLogger
from playground.training.samples import ProbabilityTracker, SampleLogger
from playground.training.schedule import lr_factor
from playground.training.train_state import Progress, TrainState

GO_ON, PAUSE, STOP, DIVERGED = 0, 1, 2, 3
FIRST_SAMPLES = (1, 5, 20, 50)
"""Steps after which a run writes whatever ``sample_every`` says: what it writes changes most at the beginning."""
POLL_SECONDS = 0.1
TRAINED_ROWS = 512  # of training that an evaluation looks at too; never more than it looks at of validation
NOT_REPEATABLE = "does not have a deterministic implementation"  # as torch says of an operator
SHAPES = 128  # of batches that are compiled; beyond, torch runs the model as it is


class Diverged(PlaygroundError):
    """The loss is no longer a number."""


class Trainer:
    """One run in one process (or one of several, see :class:`Group`).

    Args:
        folder: where everything is read from and written to.
        config: with the vocabulary size filled in.
        prepared: the tokens.
        device, group: where it runs.
        listener: told what is written to the folder, as it is written.

    Attributes:
        device: as given, but for what this run cannot use of it (compiled code, CUDA graphs).
    """

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        prepared: Prepared | LabelledSet,
        device: Device,
        group: Group = Group(),
        listener: Listener | None = None,
    ) -> None:
        self.folder, self.config, self.group = folder, config, group
        self.prepared = prepared
        self.training = config.training
        self.device = device = self._fitting(device)
        self._check_split()
        torch.manual_seed(self.training.seed)
        self.fresh = folder.latest_checkpoint() is None
        self.state = self._initial_state(device)
        if not self.fresh:
            restore_checkpoint(folder, self.state)
        if group.is_main:
            # A worker that was killed after its last checkpoint has left lines of steps that are made again.
            folder.rewind(self.state.progress.step)
        self.model, self.optimizers = self.state.model, self.state.optimizers
        self.scaler, self.progress = self.state.scaler, self.state.progress
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.forward = group.wrap(self._compiled() if device.compile else self.model, device)
        self.run_logger = RunLogger(folder, device, listener)
        self.run_logger.measured_seconds = self.progress.seconds
        self._set_up_objective()
        self.looker = self._looker() if group.is_main else None
        self.loss: Tensor | None = None
        self.example_logger = ExampleLogger(folder, config, self.sampler, self.objective) if group.is_main else None
        self.rates: LearningRates | None = None
        self.graphs = self._graphs() if device.graphs else None
        self.snapshot_steps = set(snapshots.planned(self.training, sum(parameter_counts(config.model).values())))
        self.snapshots_fail = False
        self.last_checkpoint = time.monotonic()
        self.last_poll = 0.0
        self.request = GO_ON
        self.pause_at: int | None = None

    def _initial_state(self, device: Device) -> TrainState:
        """Model, optimizers and loss scaling before the first step."""
        model = self._model().to(device.torch)
        scale = lr_multipliers(self.config)
        optimizers = build_optimizers(model, self.training, device.kind, scale, device.graphs)
        half = device.kind == "cuda" and device.dtype is torch.float16
        return TrainState(model, optimizers, torch.amp.GradScaler("cuda") if half else None, Progress())

    def _check_memory(self) -> None:
        """Before anything is built: this machine has room for the weights, and on a CPU for what is trained with them. (A system
        that runs out of memory ends any program, the server too.)

        Raises:
            PlaygroundError: when it has not.
        """
        about = memory(self.config.model, 1, self.training.optimizer)
        all_trained = self.device.kind == "cpu" and self.config.finetune is None
        need = about.weights + (about.gradients + about.optimizer if all_trained else 0)
        if need > free_memory():
            count = sum(parameter_counts(self.config.model).values())
            raise PlaygroundError(
                "This model has {count:,} parameters; training it takes at least {need:.1f} GiB of memory, and {free_memory:.1f} GiB are free.",
                "Choose a smaller one, or close other programs.",
                count=count,
                need=need / 2**30,
                free_memory=free_memory() / 2**30,
            )

    def _model(self) -> nn.Module:
        """The model as it is trained: with its parent's weights where there is one, and what the task adds."""
        self._check_memory()
        model = build(self.config.model)
        parent = load_parent(self.config) if self.fresh and starts_from_parent(self.config) else None
        if parent is not None:
            copy_parent_weights(model, parent, self.config)
        labels = self.prepared.labels if isinstance(self.prepared, LabelledSet) else ()
        model = apply_finetuning(model, self.config, len(labels))
        if parent is not None and labels:
            copy_parent_head(model, parent)
        return model

    def _set_up_objective(self) -> None:
        """What is drawn from the text, what is asked of the model, and what is told of it."""
        prepared, config = self.prepared, self.config
        if isinstance(prepared, LabelledSet):
            self.sampler, self.objective = LabelledSampler(prepared, config), LabelledObjective(prepared, config)
            self.sample_logger = LabelledSampleLogger(prepared, self.sampler, self.objective, self.model, self.device)
            self.probability_tracker = LabelledProbabilityTracker(prepared, self.sampler, self.objective)
            return
        apart = self.training.objective == "seq2seq"
        self.sampler = Sampler(prepared, config.model.context_length, self.training.seed, apart)
        self.objective = Objective(config, prepared)
        self.sample_logger = SampleLogger(config, prepared, self.model, self.device)
        self.probability_tracker = ProbabilityTracker(self.sampler, self.objective, prepared.tokenizer)

    def _looker(self) -> Looker:
        """What answers whoever looks into the model meanwhile."""
        texts = LookTexts(self.config, self.prepared, self.sampler, self.objective)
        return Looker(self.folder, self.config, self.prepared, texts, self.model, self.device)

    def _fitting(self, device: Device) -> Device:
        """The device without what cannot be had: graphs of what must wait for the host, code compiled for many shapes."""
        training, shape = self.training, self.prepared.shape
        varying = shape != "stream"
        padded = shape == "labelled" or (varying and (training.objective == "mlm" or self.config.model.reads_pairs))
        alone = self.group.world == 1
        graphs = device.graphs and alone and can_be_recorded(self.config.model, padded)
        compiled = device.compile and not (varying and training.compile == "auto")
        return replace(device, graphs=graphs, compile=compiled)

    def _compiled(self) -> nn.Module:
        """On CUDA each of the few shapes is compiled for itself: its numbers must not depend on those seen before."""
        if self.device.kind != "cuda":
            return cast(nn.Module, torch.compile(self.model))
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, SHAPES)
        return cast(nn.Module, torch.compile(self.model, dynamic=False))

    def _graphs(self) -> StepGraphs:
        """What replays the steps, with everything on the device that changes from one to the next."""
        init_state(self.optimizers)
        self.rates = LearningRates(self.optimizers, self.device.torch)
        self.scale = torch.ones((), device=self.device.torch)
        entries = [state.values() for optimizer in self.optimizers for state in optimizer.state.values()]
        changing = [*self.parameters, *itertools.chain(*entries)]
        return StepGraphs(self.whole_step, changing, self.device.torch)

    def _check_split(self) -> None:
        pieces = self.group.world * self.training.gradient_accumulation_steps
        if self.training.batch_size % pieces:
            raise PlaygroundError(
                "A batch of {batch_size} does not divide among {world} processes × {gradient_accumulation_steps} micro-batches.",
                "Use a multiple of {pieces}.",
                batch_size=self.training.batch_size,
                world=self.group.world,
                gradient_accumulation_steps=self.training.gradient_accumulation_steps,
                pieces=pieces,
            )

    def run(self) -> str:
        """Trains until the end or until somebody asks to stop.

        Returns:
            The state to show: "finished", "paused" or "stopped".

        Raises:
            Diverged: when the loss is NaN or infinite; the last checkpoint is from before.
        """
        self.model.train()
        if self.progress.step == 0 and 0 in self.training.keep_steps:
            self.checkpoint()
        self.snapshot_if_due()
        try:
            while self.progress.step < self.training.steps and not self.enough():
                ending = self.one_step()
                if ending:
                    return ending
                self.after_step()
            self.look_at_end()
            self.checkpoint()
            return "finished" if self.run_logger.diverged_at is None else self.end(DIVERGED)
        finally:
            self.close()

    def close(self) -> None:
        """Gives back the memory of the graphs."""
        if self.graphs:
            self.graphs.close()

    def enough(self) -> bool:
        """Whether early stopping ends the run: so many evaluations in a row brought nothing."""
        return 0 < self.training.patience <= self.progress.bad_evaluations

    def one_step(self) -> str | None:
        """One optimizer step; the state to end in when a request came, else None."""
        start = time.perf_counter()
        step = self.progress.step
        batches = self.batches(step)
        local, read = (sum(getattr(batch, name) for batch in batches) for name in ("n_targets", "n_tokens"))
        code, scale = (self.decide(), self.progress.lr_scale) if self.group.is_main else (GO_ON, 0.0)
        count, read, code, self.progress.lr_scale = self.group.sum([local, read, code, scale], self.device)
        if code:
            return self.end(int(code))
        if self.looker:
            self.looker.before_step(step, step + 1 in (self.pause_at, self.training.steps))
        factor = lr_factor(self.training, step) * self.progress.lr_scale
        loss, grad_norm = self.optimize(batches, factor, mean_scale(count, self.group.world))
        if self.group.world > 1:
            loss = torch.tensor(self.group.sum([loss.item()], self.device)[0] / self.group.world)
        self.progress.step += 1
        self.progress.tokens += round(read)
        self.progress.seconds += time.perf_counter() - start
        self.loss = loss
        if self.group.is_main:
            self.run_logger.step(self.progress, loss, self.training.lr * factor, grad_norm)
        return None

    def seed(self) -> None:
        """Sets what this step's dropout draws from."""
        if self.config.model.dropout or self.config.finetune:  # a head for labels has dropout of its own
            step = self.progress.step * self.group.world + self.group.rank
            self.device.seed(self.training.seed * 1_000_003 + step)

    def batches(self, step: int) -> list[Batch]:
        """This process's micro-batches of ``step``, on the host; in few shapes where they are recorded or compiled.

        The whole batch is drawn and hidden first, so any split sees the same.
        """
        rows: Rows = self.objective.apply_mlm_mask(self.sampler.train(step, self.training.batch_size), step)
        if self.group.world > 1:
            rows = rows.part(slice(self.group.rank, None, self.group.world))
        pieces = self.training.gradient_accumulation_steps
        parts = [rows] if pieces == 1 else [rows.part(slice(i, None, pieces)) for i in range(pieces)]
        batches = [self.objective.batch(part) for part in parts]
        if self.rates is None and not (self.device.kind == "cuda" and self.device.compile):
            return batches
        masked = self.prepared.shape == "labelled"
        return bucketed(batches, self.config.model.context_length, masked)

    def optimize(self, batches: list[Batch], factor: float, scale: float) -> tuple[Tensor, Tensor]:
        """One update of the weights, replayed or not; the loss and the norm of its gradient, still on the device.

        Args:
            batches: on the host.
            factor: what to multiply every learning rate with.
            scale: what to multiply summed losses with.
        """
        try:
            return self._optimize(batches, factor, scale)
        except RuntimeError as error:
            alone = self.group.world == 1  # else the others would wait for gradients that never come
            if not (alone and self.device.strict and NOT_REPEATABLE in str(error)):
                raise
            self._allow_nondeterminism(str(error))
            return self._optimize(batches, factor, scale)

    def _optimize(self, batches: list[Batch], factor: float, scale: float) -> tuple[Tensor, Tensor]:
        if self.rates is None:
            self.seed()
            self.set_learning_rate(factor)
            with self.device.deterministic():
                return self.backward([batch.to(self.device) for batch in batches], scale), self.update()
        self.rates.factor.fill_(factor)
        self.scale.fill_(scale)
        if self.graphs:
            try:
                loss, norm = self.graphs.run(batches, self.seed).unbind()
                return loss, norm
            except NotRecorded as error:
                reason = str(error)
            # Out of the handler nothing holds the memory of the step that broke off any more.
            if self.device.strict and NOT_REPEATABLE in reason:
                raise RuntimeError(reason)
            self._give_up_graphs(reason)
        self.seed()
        loss, norm = self.whole_step([batch.to(self.device) for batch in batches]).unbind()
        return loss, norm

    def whole_step(self, batches: list[Batch]) -> Tensor:
        """A step from batches on the device to new weights, which the host need not know anything of.

        Returns:
            Loss and gradient norm, ``[2]``.
        """
        assert self.rates is not None
        with self.device.deterministic():
            self.rates.apply()
            return torch.stack([self.backward(batches, self.scale), self.update()])

    def _give_up_graphs(self, reason: str) -> None:
        """From here on every step is made anew, kernel by kernel."""
        self.close()
        self.graphs = None
        self._goes_on(f"without CUDA graphs, which is slower: a step could not be recorded ({reason})", graphs=False)

    def _allow_nondeterminism(self, reason: str) -> None:
        """From here on operators may be used that do not add up in the same order every time; the step is made again."""
        for parameter in self.parameters:
            parameter.grad = None  # of the step that broke off
        reason = reason.splitlines()[0].split(", but you set")[0]
        self._goes_on(
            f"with sums that differ in their last digits from time to time, also when resumed ({reason})", strict=False
        )

    def _goes_on(self, how: str, **changes: bool) -> None:
        """What the device cannot do is said once in the log, to whoever listens, and by the device itself."""
        self.device = replace(self.device, **changes)
        self.folder.update_status(device=self.device.describe())
        self._say(f"Training goes on {how}.")

    def _say(self, line: str) -> None:
        """A line in the log, and for whoever listens."""
        with contextlib.suppress(OSError), open(self.folder.log_path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        self.run_logger.listener("status", {"state": "running", "message": line})

    def set_learning_rate(self, factor: float) -> None:
        """Sets every learning rate to its highest value times ``factor``."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * factor

    def backward(self, batches: list[Batch], scale: float | Tensor) -> Tensor:
        """Gradients of the mean loss over all targets of the step; returns this process's share of it."""
        total: Tensor | None = None
        for index, batch in enumerate(batches):
            last = index == len(batches) - 1
            quiet = contextlib.nullcontext() if last else self.group.no_sync(self.forward)
            with quiet:
                with self.device.autocast():
                    loss = self.objective.loss_sum(self.forward, batch) * scale
                (self.scaler.scale(loss) if self.scaler else loss).backward()
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None  # a step has a micro-batch
        return total

    def update(self) -> Tensor:
        """Clips, steps every optimizer, clears the gradients; returns the gradient's norm before clipping."""
        if self.scaler:
            for optimizer in self.optimizers:
                self.scaler.unscale_(optimizer)
        limit = self.training.grad_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, limit, foreach=True)
        # An overflow in one optimizer's gradients has just spoilt all of them: with float16 none may step.
        spoilt = self.scaler is not None and not norm.isfinite()
        for optimizer in self.optimizers:
            if not spoilt:
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if self.scaler:
            self.scaler.update()
        return norm

    def after_step(self) -> None:
        """Evaluates, samples, saves and writes when it is time."""
        step, training = self.progress.step, self.training
        last = step == training.steps
        better = (last or step % training.eval_every == 0) and self.evaluate()
        if not self.group.is_main:
            return
        self.look()
        if training.sample_every and (last or step % training.sample_every == 0 or step in FIRST_SAMPLES):
            self.run_logger.flush()
            if self.run_logger.diverged_at is None:  # else there is nothing to draw from
                self.run_logger.sample(self.sample_logger.write(step))
        waited = time.monotonic() - self.last_checkpoint
        if better or step in training.keep_steps or waited > training.checkpoint_seconds:
            self.checkpoint()
        self.snapshot_if_due()
        self.run_logger.flush_if_due()

    def look(self) -> None:
        """Answers whoever looks into the model after this step."""
        if self.looker and self.loss is not None and self.looker.due:
            self.run_logger.fetch_pending()  # as in `evaluate`
            self.looker.after_step(self.progress, self.loss)

    def look_at_end(self) -> None:
        """Shows the last step to whoever looks, before this process is gone."""
        if self.looker and self.run_logger.diverged_at is None:
            self.looker.at_end(self.progress, self.loss)

    def evaluate(self) -> bool:
        """Scores the same validation rows each time; True when the loss is the lowest so far."""
        self.run_logger.fetch_pending()  # steps that the device has still to do are no part of the evaluation
        self.model.eval()
        training = self.training
        batch_size = max(
            training.batch_size // training.gradient_accumulation_steps, 32
        )  # what does not fit is split here too
        n_batches = math.ceil(training.eval_batches * training.batch_size / batch_size)
        score = self._score(self.sampler.validation(n_batches, batch_size), self.sampler.validation_rows)
        trained = self._trained_score(batch_size)
        probe = self.probability_tracker.probabilities(self.model, self.device) if self.group.is_main else None
        self.model.train()
        loss = score.loss / max(1, score.targets)
        progress = self.progress
        better = math.isfinite(loss) and loss < progress.best_loss
        if better:
            progress.best_loss, progress.best_step, progress.bad_evaluations = loss, progress.step, 0
        else:
            progress.bad_evaluations += 1
        if self.group.is_main:
            self.run_logger.evaluation(progress, score, probe, peak_memory(self.device), trained)
        if self.example_logger and self.run_logger.diverged_at is None:
            self.example_logger.write(self.model, self.device, progress.step)
        return better

    def _score(self, places: list[np.ndarray], rows_at: Callable[[np.ndarray], Rows]) -> Any:
        """The score of these rows, added up over the processes."""
        scores = [self.objective.no_score()]
        for index in range(self.group.rank, len(places), self.group.world):
            rows = self.objective.apply_mlm_mask(rows_at(places[index]), index, stream=2)
            with self.device.autocast():
                scores.append(self.objective.score(self.model, self.objective.batch(rows).to(self.device)))
        kind: Any = type(scores[0])
        return kind.from_list(self.group.sum(kind.total(scores).as_list(), self.device))

    def _trained_score(self, batch_size: int) -> dict[str, float]:
        """For questions and answers, the share of answers to *training* questions that are right: where it is far
        above validation's, they were learnt by heart."""
        sampler, objective = self.sampler, self.objective
        if not (isinstance(sampler, Sampler) and isinstance(objective, Objective) and objective.has_answers):
            return {}
        n_rows = min(TRAINED_ROWS, self.training.eval_batches * self.training.batch_size)
        score = self._score(sampler.trained(n_rows, batch_size), sampler.trained_rows)
        return {"train_exact": score.extra_metrics()["val_exact"]}

    def decide(self) -> int:
        """What the leader makes of requests and of the numbers so far."""
        if self.run_logger.diverged_at is not None:
            return DIVERGED
        if self.pause_at is not None and self.progress.step >= self.pause_at:
            return PAUSE
        now = time.monotonic()
        if self.request == GO_ON and now - self.last_poll > POLL_SECONDS:
            self.last_poll = now
            self.handle_request(self.folder.read_request())
        return self.request

    def handle_request(self, request: str | dict | None) -> None:
        """Obeys what the page or the CLI wrote: "pause", "stop", "step" (one and then pause), {"lr_scale": 0.5}."""
        if isinstance(request, dict):
            self.progress.lr_scale = float(request.get("lr_scale", self.progress.lr_scale))
            self.checkpoint()  # the request is taken: a killed worker must find it there
        elif request == "step":
            self.pause_at = self.progress.step + 1
        else:
            self.request = {"pause": PAUSE, "stop": STOP}.get(request or "", GO_ON)

    def end(self, code: int) -> str:
        """Ends the run early, as a request or the loss has it.

        Returns:
            The state to show: "paused" or "stopped".

        Raises:
            Diverged: when the loss is no longer a number.
        """
        if self.group.is_main:
            self.run_logger.flush()
        if code == DIVERGED:
            raise Diverged(
                "The loss stopped being a number at step {diverged_at}.",
                "Try a lower learning rate (now {lr:g}), a longer warm-up or gradient clipping at 1. Checkpoints from before are kept.",
                diverged_at=self.run_logger.diverged_at,
                lr=self.training.lr * self.progress.lr_scale,
            )
        self.look_at_end()
        self.checkpoint()
        return "paused" if code == PAUSE else "stopped"

    def checkpoint(self) -> None:
        """Saves everything that resuming needs; never weights whose loss was not a number."""
        if not self.group.is_main:
            return
        self.run_logger.flush()
        if self.run_logger.diverged_at is None:
            save_checkpoint(self.folder, self.config, self.state)
            self.last_checkpoint = time.monotonic()

    def snapshot_if_due(self) -> None:
        """Keeps the weights of this step in half precision where the plan says so; never those whose loss was not a number.

        It only looks at the run: without room on the disk the run goes on without snapshots, and says so once.
        """
        step = self.progress.step
        if not self.group.is_main or step not in self.snapshot_steps:
            return
        self.run_logger.fetch_pending()
        if self.run_logger.diverged_at is not None or step in snapshots.steps(self.folder.path):
            return
        try:
            save_snapshot(self.folder, self.state)
        except (OSError, PlaygroundError, SafetensorError) as error:
            if not self.snapshots_fail:
                self._say(f"Training goes on without snapshots: {str(error).splitlines()[0]}")
            self.snapshots_fail = True
