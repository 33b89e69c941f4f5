"""One process or several: the same training code asks a Group, which is trivial for one."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from playground.training.device import Device

TIMEOUT = timedelta(days=30)  # the others wait while the leader queues or prepares; torchrun ends them if it dies


@dataclass(frozen=True)
class Group:
    """The processes that train one model together (``torchrun`` starts them, see torch.distributed)."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """The one process that writes files, samples text and hears requests."""
        return self.rank == 0

    def sum(self, values: list[float], device: Device) -> list[float]:
        """Adds up lists of numbers over all processes, exactly enough in float64."""
        if self.world == 1:
            return values
        where = device.torch if device.kind == "cuda" else torch.device("cpu")
        total = torch.tensor(values, dtype=torch.float64, device=where)
        dist.all_reduce(total)
        return total.tolist()

    def broadcast(self, value: Any) -> Any:
        """The leader's value, in every process."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def wrap(self, model: nn.Module, device: Device) -> nn.Module:
        """The model with gradients averaged over processes (DistributedDataParallel, Li et al. 2020)."""
        if self.world == 1:
            return model
        ids = [device.index] if device.kind == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=ids, gradient_as_bucket_view=True)

    def no_sync(self, model: nn.Module) -> AbstractContextManager:
        """Inside, gradients are not averaged over processes yet: for all micro-batches of a step but the last."""
        return model.no_sync() if isinstance(model, nn.parallel.DistributedDataParallel) else nullcontext()


def under_torchrun() -> bool:
    """Whether torchrun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join_group() -> Group:
    """Joins the processes that torchrun started: NCCL for tensors on GPUs, gloo for those on CPUs."""
    if not under_torchrun():
        return Group()
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=TIMEOUT)
    return Group(dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0")))


def leave_group(group: Group) -> None:
    """Ends the communication among the processes; nothing for a single one."""
    if group.world > 1 and dist.is_initialized():
        dist.destroy_process_group()


def exit_together(group: Group, code: int) -> None:
    """Ends this process once all are done, without Python's own tidying up.

    Nobody leaves while another still talks to it; and gloo's threads, torn down together with the interpreter, now
    and then abort a process whose work is done ("terminate called without an active exception").
    """
    if code == 0:  # else the others have raised, or torchrun is ending them
        dist.barrier()
        leave_group(group)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def mean_scale(count: float, world: int) -> float:
    """What to multiply a process's summed loss with, so that DDP's average of gradients is the global mean's."""
    return world / max(1.0, count)
