"""Where the arithmetic runs, chosen once and said plainly."""

import os
import platform
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from playground.core.errors import PlaygroundError
from playground.runs.config import TrainingSpec

MIN_STEPS_TO_COMPILE = 5000  # steps
REPEATABLE = (":4096:8", ":16:8")  # the workspaces with which cuBLAS, and torch, promise the same numbers


@dataclass(frozen=True)
class Device:
    """One choice for a whole run.

    Attributes:
        kind: "cpu", "cuda" or "mps".
        index: which GPU, 0 elsewhere.
        name: the hardware in words, as shown to people.
        dtype: of the matrix products; weights and optimizer state stay float32.
        compile: whether ``torch.compile`` is used.
        graphs: whether whole steps are recorded as CUDA graphs and replayed (`playground.training.graphs`).
        strict: whether operators that do not give the same numbers every time are refused, see `deterministic`.
    """

    kind: str
    index: int
    name: str
    dtype: torch.dtype
    compile: bool
    graphs: bool = False
    strict: bool = True

    @property
    def torch(self) -> torch.device:
        """The device as torch names it."""
        return torch.device(self.kind, self.index) if self.kind == "cuda" else torch.device(self.kind)

    def autocast(self) -> AbstractContextManager:
        """Matrix products in ``dtype``; nothing at all for float32, so that it costs nothing."""
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.kind, self.dtype)

    @contextmanager
    def deterministic(self) -> Iterator[None]:
        """Inside, training on CUDA gives the same numbers every time on one machine, so that resuming is exact.

        By default the backward pass of fused attention adds up with atomics, in an order that changes, and cuBLAS may
        share a workspace between streams. Told to be deterministic, flash attention and memory-efficient attention
        give every sum one owner, cuDNN's attention stands back, and ``torch.compile`` chooses without measuring. What
        else our models use is deterministic as it is (the gradients of embeddings and of chosen rows are sorted before
        they are added, cross-entropy is of one dimension); an operator that cannot promise it raises, and the trainer
        goes on less strictly and says so.
        """
        if self.kind != "cuda" or not self.strict:
            yield
            return
        memory: Any = torch.utils.deterministic  # torch sets this attribute on the module at run time
        before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
        filled = memory.fill_uninitialized_memory
        torch.use_deterministic_algorithms(True)  # not warn_only: memory-efficient attention would warn, and no more
        memory.fill_uninitialized_memory = False  # finds bugs, and costs a kernel a tensor
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            memory.fill_uninitialized_memory = filled

    def seed(self, seed: int) -> None:
        """Seeds what dropout draws from: ``torch.manual_seed`` for this device alone, a hundred times as fast."""
        torch.default_generator.manual_seed(seed)
        if self.kind == "cuda":
            torch.cuda.default_generators[self.index].manual_seed(seed)
        elif self.kind == "mps":
            torch.mps.manual_seed(seed)

    def describe(self) -> str:
        """What really runs, such as "NVIDIA H100, bfloat16, compiled, CUDA graph"."""
        ways = ["compiled"] * self.compile + ["CUDA graph"] * self.graphs + ["not repeatable"] * (not self.strict)
        return ", ".join([self.name, str(self.dtype).removeprefix("torch."), *ways])


def choose_device(training: TrainingSpec, local_rank: int = 0) -> Device:
    """Turns ``auto`` into what this machine has: CUDA, then Apple's MPS, then the CPU.

    Raises:
        PlaygroundError: when the person asked for a device or number format that is not there.
    """
    kind = training.device if training.device != "auto" else _best_kind()
    if kind == "cuda" and not torch.cuda.is_available():
        raise PlaygroundError("PyTorch finds no CUDA GPU here.", "Choose device 'auto' or 'cpu'.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise PlaygroundError("This machine has no Apple GPU (MPS).", "Choose device 'auto' or 'cpu'.")
    if kind == "cuda":
        if local_rank >= torch.cuda.device_count():
            raise PlaygroundError(
                "There are more processes than CUDA GPUs here ({gpus}).",
                "Start as many processes as there are GPUs, or choose device 'cpu'.",
                gpus=torch.cuda.device_count(),
            )
        if (
            os.environ.get("CUBLAS_WORKSPACE_CONFIG") not in REPEATABLE
        ):  # see Device.deterministic; read when cuBLAS starts
            os.environ["CUBLAS_WORKSPACE_CONFIG"] = REPEATABLE[0]
        torch.cuda.set_device(local_rank)
        torch.set_float32_matmul_precision("high")  # TF32 for what autocast leaves in float32
    else:
        _set_threads(training.threads)
    index, dtype = local_rank if kind == "cuda" else 0, _dtype(training, kind)
    return Device(kind, index, _name(kind, index), dtype, _compiles(training, kind), _records(kind, dtype))


def _records(kind: str, dtype: torch.dtype) -> bool:
    """Whether steps become CUDA graphs: in one process on CUDA, unless ``$PLAYGROUND_GRAPHS`` is 0.

    Scaling the loss for float16 looks at the gradients at every step, which a graph cannot.
    """
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    wanted = os.environ.get("PLAYGROUND_GRAPHS", "1") != "0"
    return kind == "cuda" and dtype is not torch.float16 and alone and wanted


def _best_kind() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _dtype(training: TrainingSpec, kind: str) -> torch.dtype:
    if training.dtype != "auto":
        if training.dtype == "float16" and kind == "cpu":
            raise PlaygroundError("float16 training needs a GPU: its gradients underflow on a CPU.", "Choose float32.")
        return getattr(torch, training.dtype)
    if kind != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def _compiles(training: TrainingSpec, kind: str) -> bool:
    """``auto`` compiles on CUDA only, and only where the run is long enough to win the half minute back."""
    if training.compile == "auto":
        return kind == "cuda" and training.steps >= MIN_STEPS_TO_COMPILE and _can_compile()
    if training.compile == "on" and not _can_compile():
        raise PlaygroundError(
            "torch.compile needs a C compiler and Python's headers, and they are not here.",
            "Set compile to 'auto' or 'off', or install gcc and python3-dev.",
        )
    return training.compile == "on"


def _can_compile() -> bool:
    """Whether the kernels that torch.compile writes can be built: a compiler-free machine trains all the same."""
    chosen = os.environ.get("CC", "").split()[:1]
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return any(map(shutil.which, [*chosen, "gcc", "clang"])) and headers.exists()


def _set_threads(threads: int) -> None:
    """As many as asked for, else as ``$OMP_NUM_THREADS`` says, else the cores; processes beside this one share them.

    torchrun sets the variable to 1 by itself: beside others it says nothing about what the person wants.
    """
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    asked = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    usual = int(asked) if asked.isascii() and asked.isdigit() and beside == 1 else cores // beside
    wanted = threads or max(1, usual)
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)


def _name(kind: str, index: int) -> str:
    if kind == "cuda":
        return torch.cuda.get_device_name(index)
    if kind == "mps":
        return "Apple GPU"
    threads = torch.get_num_threads()
    return f"{_cpu_model()} CPU, {threads} thread{'s' if threads > 1 else ''}"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def peak_memory(device: Device) -> int:
    """The most bytes this process has held so far: on the GPU where there is one, else in main memory."""
    if device.kind == "cuda":
        return torch.cuda.max_memory_allocated(device.index)
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
