"""What a checkpoint holds, in memory: model, optimizers, loss scaling, and how far training has come."""

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Progress:
    """How far a run has come. All of it is in every checkpoint, so that a resumed run goes on as if it had never stopped.

    Attributes:
        step: optimizer steps made.
        tokens: tokens read, over all processes.
        seconds: of training, without evaluation, sampling and saving.
        best_loss, best_step: the lowest mean validation loss (nats per token), and the step it was measured at.
        bad_evaluations: evaluations in a row without a lower loss, for early stopping.
        lr_scale: factor on every learning rate that a person set while the run was going.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    best_step: int = 0
    bad_evaluations: int = 0
    lr_scale: float = 1.0


@dataclass
class TrainState:
    """Everything that changes from step to step and that resuming needs.

    Attributes:
        model: as it is trained.
        optimizers: one, or AdamW and Muon.
        scaler: of the loss, for float16 on CUDA (Micikevicius et al. 2018); else None.
        progress: how far training has come.
    """

    model: nn.Module
    optimizers: list[torch.optim.Optimizer]
    scaler: torch.amp.GradScaler | None
    progress: Progress
