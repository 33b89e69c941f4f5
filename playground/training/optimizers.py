"""AdamW, Muon + AdamW, SGD: built from a TrainingSpec, saved and restored as named tensors."""

# pyright: reportPrivateImportUsage=false
# torch has no public names for its kernels on many tensors at once (torch._foreach_…).

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from models.spec import ModelSpec
from playground.runs.config import TrainingSpec


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    """Pushes all singular values of each matrix towards 1 (Newton–Schulz, Jordan et al. 2024, "Muon").

    Args:
        matrices: ``[batch, rows, columns]``. Computed in bfloat16 on CUDA; in float32 elsewhere, because CPUs
            without native bfloat16 are some ten times slower in it.

    Returns:
        The same shape, each matrix approximately ``U Vᵀ`` of its singular value decomposition.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT  # [batch, n, n] with n the shorter side
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, for matrices inside the blocks (Jordan et al. 2024).

    Matrices of one shape are updated as one batch: on small models the number of kernels is the cost.

    Args:
        params: groups of two-dimensional parameters; a group's ``maps`` says how many maps each of its matrices
            stacks on top of each other (q, k and v; the gates of an LSTM). Each map is orthogonalised on its own.
        lr: step size; the update of an ``[rows, columns]`` matrix is scaled by ``sqrt(max(1, rows / columns))``.
        momentum: of the gradient, with Nesterov's look-ahead.
        weight_decay: decoupled, as in AdamW.

    A group's ``lr`` may be a tensor on the device (see `Rates`), which is then never read by the host.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "maps": 1})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """Updates every parameter that has a gradient; ``closure`` is not used."""
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for same in by_shape.values():
                self._update(same, group)

    def _update(self, same: list[Tensor], group: dict) -> None:
        for parameter in same:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in same if parameter.grad is not None]  # all of them have one
        momenta = [self.state[parameter]["momentum"] for parameter in same]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        looking_ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])
        rows, columns = same[0].shape[0] // group["maps"], same[0].shape[1]
        updates = orthogonalize(torch.stack(looking_ahead).view(-1, rows, columns))
        size = -group["lr"] * max(1.0, rows / columns) ** 0.5
        updates = updates.view(len(same), *same[0].shape)
        if group["weight_decay"]:
            torch._foreach_mul_(same, 1 - group["lr"] * group["weight_decay"])
        if isinstance(size, Tensor):
            torch._foreach_add_(same, (updates * size).unbind())
        else:
            torch._foreach_add_(same, updates.unbind(), alpha=size)


GATES = {"lstm": 4, "lstm-attention": 4, "gru": 3}  # maps in each of a recurrent layer's matrices


def stacked_maps(name: str, parameter: Tensor, gates: int = 1) -> int:
    """How many equal maps one matrix of ``models/`` holds: q, k, v in a fused projection; a recurrent layer's gates."""
    rows, columns = parameter.shape
    if "qkv" in name and rows == 3 * columns:
        return 3
    return gates if "recurrent.weight" in name or "cell.weight" in name else 1


def build_optimizers(
    model: nn.Module,
    training: TrainingSpec,
    device_kind: str,
    scale: Callable[[str], float] | None = None,
    graphs: bool = False,
) -> list[torch.optim.Optimizer]:
    """One optimizer, or Muon for block matrices and AdamW for the rest. Every group keeps its top rate as ``base_lr``.

    Args:
        scale: what a parameter's learning rate is multiplied with, by its name; None: all alike.
        graphs: whether their steps are recorded as part of a CUDA graph.
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    optimizers: list[torch.optim.Optimizer]
    if training.optimizer == "sgd":
        optimizers = [
            torch.optim.SGD(
                _decay_groups(named, training, scale),
                lr=training.lr,
                momentum=training.momentum,
                nesterov=training.momentum > 0,
                fused=graphs or None,  # the others read the learning rate on the host
            )
        ]
    elif training.optimizer == "adamw":
        optimizers = [_adamw(named, training, device_kind, scale, graphs)]
    else:
        matrices = [(name, p) for name, p in named if _is_block_matrix(name, p)]
        chosen = {name for name, _ in matrices}
        rest = [(name, p) for name, p in named if name not in chosen]
        optimizers = [_adamw(rest, training, device_kind, scale, graphs)]
        if matrices:
            groups = _map_groups(matrices, GATES.get(cast(ModelSpec, model.spec).architecture, 1), scale)
            optimizers.append(Muon(groups, training.muon_lr, training.momentum, training.weight_decay))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"] * group.get("scale", 1.0)
    return optimizers


Scale = Callable[[str], float] | None


def _adamw(
    named: Sequence[tuple[str, Tensor]],
    training: TrainingSpec,
    device_kind: str,
    scale: Scale = None,
    graphs: bool = False,
) -> torch.optim.AdamW:
    betas = (training.beta1, training.beta2)
    return torch.optim.AdamW(
        _decay_groups(named, training, scale),
        lr=training.lr,
        betas=betas,
        fused=device_kind in ("cpu", "cuda"),
        capturable=graphs,
    )


def _decay_groups(named: Sequence[tuple[str, Tensor]], training: TrainingSpec, scale: Scale = None) -> list[dict]:
    """Weight decay for matrices only: biases and norm scales must be free to move. A group for each learning rate."""
    groups = defaultdict(list)
    for name, p in named:
        groups[-(scale(name) if scale else 1.0), p.dim() < 2].append(p)
    return [
        {"params": params, "weight_decay": 0.0 if vectors else training.weight_decay, "scale": -negative}
        for (negative, vectors), params in sorted(groups.items(), key=lambda item: item[0])
    ]


def _is_block_matrix(name: str, parameter: Tensor) -> bool:
    inside = any(part in name for part in ("layers.", "recurrent.weight", "decoder."))
    return parameter.dim() == 2 and inside and "lora_" not in name  # half of a product is no map to orthogonalise


def _map_groups(matrices: Sequence[tuple[str, Tensor]], gates: int, scale: Scale = None) -> list[dict]:
    groups = defaultdict(list)
    for name, parameter in matrices:
        groups[stacked_maps(name, parameter, gates), scale(name) if scale else 1.0].append(parameter)
    return [
        {"params": parameters, "maps": maps, "scale": share}
        for (maps, share), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


class LearningRates:
    """The learning rate of every group as a number on the device, which a recorded step reads whenever it is replayed.

    Args:
        optimizers: from `build_optimizers`; each group's ``lr`` becomes a float32 tensor.
        device: where they are.
    """

    def __init__(self, optimizers: list[torch.optim.Optimizer], device: torch.device) -> None:
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        self.tops = torch.tensor([group["base_lr"] for group in groups], dtype=torch.float64, device=device)
        self.factor = torch.ones((), dtype=torch.float64, device=device)
        self.now = torch.zeros(len(groups), device=device)
        for group, rate in zip(groups, self.now):
            group["lr"] = rate

    def apply(self) -> None:
        """Makes every rate its top times the factor: the first thing in a step, so that it is recorded with it."""
        self.now.copy_(self.tops * self.factor)


def init_state(optimizers: list[torch.optim.Optimizer]) -> None:
    """Makes the state that a first step would make: a recorded step needs the tensors that it changes to be there.

    Zero momentum gives the first step of SGD what no momentum does, bit for bit.
    """
    for optimizer in optimizers:
        optimizer._warned_capturable_if_run_uncaptured = True  # steps that warm up are not recorded: it would warn
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                state = optimizer.state[parameter]
                for name in _entries(optimizer, group):
                    state.setdefault(name, torch.zeros_like(parameter))
                if isinstance(optimizer, torch.optim.AdamW):
                    state.setdefault("step", torch.zeros((), dtype=torch.float32, device=parameter.device))


def _entries(optimizer: torch.optim.Optimizer, group: dict) -> tuple[str, ...]:
    if isinstance(optimizer, torch.optim.AdamW):
        return "exp_avg", "exp_avg_sq"
    if isinstance(optimizer, Muon):
        return ("momentum",)
    return ("momentum_buffer",) if group["momentum"] else ()


def optimizer_tensors(model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """All optimizer state as ``{"<optimizer>/<parameter name>/<entry>": tensor}``, ready for safetensors."""
    names: dict[Tensor, str] = {p: name for name, p in model.named_parameters()}
    return {
        f"{index}/{names[parameter]}/{entry}": torch.as_tensor(value).detach().cpu().contiguous()
        for index, optimizer in enumerate(optimizers)
        for parameter, state in optimizer.state.items()
        for entry, value in state.items()
    }


def restore_optimizers(model: nn.Module, optimizers: list[torch.optim.Optimizer], tensors: dict[str, Tensor]) -> None:
    """Puts back what :func:`optimizer_tensors` gave.

    Raises:
        KeyError: when the tensors belong to another model or optimizer.
    """
    parameters = dict(model.named_parameters())
    states: list[dict[nn.Parameter, dict[str, Tensor]]] = [defaultdict(dict) for _ in optimizers]
    for key, tensor in tensors.items():
        index, rest = key.split("/", 1)
        name, entry = rest.rsplit("/", 1)
        states[int(index)][parameters[name]][entry] = tensor
    for optimizer, state in zip(optimizers, states):
        for parameter, entries in state.items():
            kept = {
                k: v if k == "step" and not _fused_on_gpu(optimizer, parameter) else v.to(parameter.device)
                for k, v in entries.items()
            }
            optimizer.state[parameter] = kept


def _fused_on_gpu(optimizer: torch.optim.Optimizer, parameter: Tensor) -> bool:
    return parameter.is_cuda and any(group.get("fused") for group in optimizer.param_groups)
